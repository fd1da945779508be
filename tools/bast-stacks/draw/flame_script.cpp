// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "draw/flame.hpp"
#include "draw/flame_layout.hpp"

// Layout constants that the script repeats.
static_assert(bast_stacks::draw::flame_width == 1200 && bast_stacks::draw::flame_margin == 16 &&
              bast_stacks::draw::flame_column_width == 7.25);

std::string_view bast_stacks::flame_script() {
  return R"js(
{
  "use strict";
  const width = 1200, margin = 16, column = 7.25;
  const pictures = document.querySelectorAll("svg.bast-flame");
  const calls = [...document.querySelectorAll(".bast-flame g.call")];
  const number = (element, name) => Number(element.getAttribute(name));
  const size = bytes => bytes < 1024 ? bytes + " B" : (bytes / 1024).toFixed(1) + " KiB";
  const svg = (name, into) => into.appendChild(
    document.createElementNS(pictures[0].namespaceURI, name));

  // Draws what lies between two places of a panel as wide as the panel.
  const draw = (panel, left, right) => {
    const whole = left === margin && right === width - margin;
    const place = x => Math.min(Math.max(
      margin + (x - left) * (width - 2 * margin) / (right - left), margin), width - margin);
    panel.classList.toggle("zoomed", !whole);
    for (const bar of panel.querySelectorAll(":scope > g")) {
      let first = width, last = 0;
      for (const rect of bar.querySelectorAll("rect")) {
        rect.from ??= number(rect, "x");
        rect.wide ??= number(rect, "width");
        const x = place(rect.from), end = place(rect.from + rect.wide);
        rect.setAttribute("x", x.toFixed(1));
        rect.setAttribute("width", (end - x).toFixed(1));
        first = Math.min(first, x);
        last = Math.max(last, end);
      }
      const text = bar.querySelector("text");
      if (!text) continue;
      text.drawn ??= [text.getAttribute("x"), text.getAttribute("class"), text.textContent];
      const room = Math.max(Math.floor((last - first - 10) / column), 0);
      const words = text.dataset.l ?? text.drawn[2];
      text.setAttribute("x", whole ? text.drawn[0] : first + 5);
      text.setAttribute("class", whole ? text.drawn[1] : text.drawn[1].replace("end", "start"));
      text.textContent = whole ? text.drawn[2] : words.length <= room ? words :
        room < 3 ? "" : words.slice(0, room - 1) + "\u2026";
    }
    let note = panel.querySelector(":scope > text.zoom");
    if (!note) {
      note = svg("text", panel);
      note.setAttribute("class", "words soft small zoom");
      note.setAttribute("x", margin);
      note.setAttribute("y", number(panel.querySelector("rect"), "y") - 7);
    }
    note.textContent = whole ? "" : "A part of the stack. Escape, or a click on the site, goes back.";
  };
  const back = panel => draw(panel, margin, width - margin);
  const zoom = bar => {
    const panel = bar.parentNode;
    if (bar.classList.contains("site")) return back(panel);
    back(panel);
    const rects = [...bar.querySelectorAll("rect")];
    draw(panel, Math.min(...rects.map(r => r.from)), Math.max(...rects.map(r => r.from + r.wide)));
  };
  for (const bar of document.querySelectorAll(".bast-flame :is(g.call,g.site)")) {
    bar.setAttribute("tabindex", "0");
    bar.setAttribute("role", "button");
    bar.addEventListener("click", () => zoom(bar));
    bar.addEventListener("keydown", event => { if (event.key === "Enter") zoom(bar); });
  }
  for (const call of calls) {
    const mark = on => {
      for (const other of calls)
        if (other.dataset.f === call.dataset.f) other.classList.toggle("same", on);
    };
    call.addEventListener("pointerenter", () => mark(true));
    call.addEventListener("pointerleave", () => mark(false));
  }

  // Marks what has the words; says how much that is.
  const find = words => {
    let found = 0, bytes = 0;
    for (const call of calls) {
      const hit = words !== "" &&
        call.querySelector("title").textContent.toLowerCase().includes(words.toLowerCase());
      call.classList.toggle("found", hit);
      if (hit) { ++found; bytes += Number(call.dataset.b); }
    }
    for (const picture of pictures) picture.classList.toggle("finds", words !== "");
    return words === "" ? "" : found + (found === 1 ? " call, " : " calls, ") + size(bytes);
  };
  let ask = () => {};
  if (document.documentElement.localName === "svg") {
    const text = svg("text", document.documentElement);
    const title = document.querySelector("text.title");
    text.setAttribute("class", "words soft end find");
    text.setAttribute("x", width - margin);
    text.setAttribute("y", number(title, "y") + 26);
    text.setAttribute("tabindex", "0");
    text.setAttribute("role", "button");
    text.textContent = "find (/)";
    ask = () => {
      const words = prompt("Find calls by function, source or file") ?? "";
      text.textContent = words === "" ? "find (/)" : words + ": " + find(words);
      if (words === "") find("");
    };
    text.addEventListener("click", ask);
    text.addEventListener("keydown", event => { if (event.key === "Enter") ask(); });
  } else if (calls.length !== 0) {
    const line = document.createElement("p"), label = document.createElement("label");
    const input = document.createElement("input"), said = document.createElement("output");
    line.className = "find";
    input.type = "search";
    label.append("Find calls", input);
    line.append(label, said);
    document.querySelector("details").before(line);
    input.addEventListener("input", () => { said.textContent = find(input.value); });
    ask = () => input.focus();
  }
  addEventListener("keydown", event => {
    if (event.key === "Escape") document.querySelectorAll(".bast-flame .zoomed").forEach(back);
    if (event.key !== "/" || event.target.localName === "input") return;
    event.preventDefault();
    ask();
  });
}
)js";
}
