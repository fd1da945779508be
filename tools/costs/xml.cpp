// SPDX-License-Identifier: Apache-2.0
//
// libxml2 on nested documents.
#include "costs.hpp"

#include <libxml/parser.h>
#include <libxml/xpath.h>

#include <stdexcept>
#include <string>

namespace costs {
namespace {

std::string nested_xml(int depth) {
  std::string text;
  for (int i = 0; i < depth; ++i) text += "<e>";
  for (int i = 0; i < depth; ++i) text += "</e>";
  return text;
}

xmlDoc* parse(const std::string& text) {
  xmlDoc* const document = xmlReadMemory(text.data(), static_cast<int>(text.size()), "memory",
                                         nullptr, XML_PARSE_HUGE | XML_PARSE_NOERROR);
  if (document == nullptr) throw std::runtime_error("xmlReadMemory");
  return document;
}

}  // namespace

std::span<const call> xml() {
  static const call all[] = {
      {"libxml2: parse, 5 deep", "libxml2: parse, 5 deep, again",
       [] { xmlFreeDoc(parse(nested_xml(5))); }},
      {"libxml2: parse, 1,000 deep", "libxml2: parse, 1,000 deep, again",
       [] { xmlFreeDoc(parse(nested_xml(1000))); }},
      {"libxml2: XPath", "libxml2: XPath, again",
       [] {
         xmlDoc* const document = parse(nested_xml(20));
         xmlXPathContext* const context = xmlXPathNewContext(document);
         xmlXPathObject* const found = xmlXPathEvalExpression(
             reinterpret_cast<const xmlChar*>("//e[count(ancestor::e) > 3]"), context);
         xmlXPathFreeObject(found);
         xmlXPathFreeContext(context);
         xmlFreeDoc(document);
       }},
  };
  return all;
}

}  // namespace costs
