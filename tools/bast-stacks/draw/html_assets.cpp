// SPDX-License-Identifier: Apache-2.0
#include "draw/html_assets.hpp"

namespace bast_stacks::draw {

// Ink and soft on ground are at least 7:1 and 4.5:1 (WCAG 2.2, 1.4.3), in both schemes.
const std::string_view page_style = R"css(
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#d5d9de;--ground:#fff;
 --sheet:#f6f8fa;--accent:#4a8fd8;--alarm:#c4242b;--warn:#9a6700;--good:#1f7a3a;--link:#0a58b8}
@media (prefers-color-scheme:dark){:root{--ink:#eceff3;--soft:#a3adb8;--line:#3a424c;
 --ground:#14181d;--sheet:#1c2229;--accent:#3f83c9;--alarm:#ff7b72;--warn:#e3b341;--good:#57c979;
 --link:#6cb2ff}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1280px;padding:24px 24px 64px;background:var(--ground);
 color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:26px;line-height:1.2;margin:0;overflow-wrap:anywhere}
h2{font-size:19px;margin:36px 0 10px}h3{font-size:15px;margin:22px 0 6px}
p{margin:6px 0}a{color:var(--link)}.soft{color:var(--soft)}
code,pre,.code{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",
 "Liberation Mono",monospace;font-size:13px}
pre{background:var(--sheet);border:1px solid var(--line);border-radius:8px;padding:12px 14px;
 overflow-x:auto}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(190px,1fr));gap:12px;
 margin:20px 0 0;padding:0}
.tiles div{background:var(--sheet);border:1px solid var(--line);border-radius:8px;
 padding:12px 14px}
.tiles dt{color:var(--soft);font-size:13px}
.tiles dd{margin:0;font-size:24px;font-weight:600;line-height:1.25}
.tiles dd.note{font-size:13px;font-weight:400;color:var(--soft);overflow-wrap:anywhere}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th,td{padding:6px 10px;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap;
 vertical-align:baseline}
th{color:var(--soft);font-weight:600;font-size:13px;background:var(--ground)}
th:first-child,td:first-child,th.text,td.text{text-align:left}
td.name{white-space:normal;overflow-wrap:anywhere;min-width:14em}
tbody tr:hover{background:var(--sheet)}
th button{all:unset;cursor:pointer;border-radius:3px}
th button:focus-visible,a:focus-visible,summary:focus-visible,.wide:focus-visible{
 outline:2px solid var(--link);outline-offset:2px}
th button::after{content:" \2195";opacity:.45}
th[aria-sort=ascending] button::after{content:" \2191";opacity:1}
th[aria-sort=descending] button::after{content:" \2193";opacity:1}
.used{display:inline-block;width:90px;height:9px;margin-left:10px;background:var(--line);
 border-radius:2px;overflow:hidden}
.used i{display:block;height:100%;background:var(--good)}
.tight .used i{background:var(--warn)}.alarm .used i{background:var(--alarm)}
.warning{overflow-wrap:anywhere}.alarm td.margin,.warning{color:var(--alarm);font-weight:600}
details{border:1px solid var(--line);border-radius:8px;margin:10px 0;padding:0 14px}
details[open]{padding-bottom:16px}
summary{cursor:pointer;padding:10px 0;font-weight:600;overflow-wrap:anywhere}
summary span{color:var(--soft);font-weight:400;margin-left:8px}
.facts{display:flex;flex-wrap:wrap;gap:4px 28px;margin:4px 0 0}
.facts div{display:flex;gap:6px}.facts dt{color:var(--soft)}.facts dd{margin:0}
.key{vertical-align:baseline}svg[role]{display:block;width:100%;min-width:860px;height:auto}
.find input{font:inherit;width:min(20em,100%);margin:0 8px}
@media(max-width:600px){body{padding:12px 12px 40px}h1{font-size:22px}
 .tiles{grid-template-columns:1fr 1fr;gap:8px}.tiles dd{font-size:19px}
 #sites :is(th,td):is(:nth-child(n+2):nth-child(-n+5),:nth-child(7)),.used{display:none}
 th,td{padding:6px 5px}td.name{min-width:8em}}
@media print{body{padding:0;max-width:none;font-size:11px}th button::after{content:""}
 details{break-inside:avoid-page}details::details-content{content-visibility:visible;display:block}
 .wide{overflow:visible}svg[role]{min-width:0}tr{break-inside:avoid}}
)css";

// Only reorders rows. Headers become buttons, so that the keyboard reaches them.
const std::string_view page_script = R"js(
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value === undefined ? cell.textContent : Number(cell.dataset.value);
  };
  const compare = (a, b) => typeof a === "number" ? a - b : a < b ? -1 : a > b ? 1 : 0;
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const rising = before ? before === "descending" : head.dataset.first !== "descending";
      for (const each of heads) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", rising ? "ascending" : "descending");
      const rows = [...body.rows];
      rows.sort((a, b) => (rising ? 1 : -1) * compare(value(a, column), value(b, column)));
      body.append(...rows);
    });
  });
}
const reveal = () => {
  const target = location.hash && document.getElementById(location.hash.slice(1));
  const details = target && target.closest("details");
  if (details) { details.open = true; target.scrollIntoView(); }
};
addEventListener("hashchange", reveal);
reveal();
)js";

}  // namespace bast_stacks::draw
