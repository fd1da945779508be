// SPDX-License-Identifier: Apache-2.0
//
// SQLite: a schema, an index, ten thousand rows, a join, a window function, a recursion.
#include "costs.hpp"

#include <sqlite3.h>

#include <stdexcept>
#include <string>

namespace costs {
namespace {

sqlite3* database() {
  static sqlite3* const open = [] {
    sqlite3* made = nullptr;
    if (sqlite3_open(":memory:", &made) != SQLITE_OK) throw std::runtime_error("sqlite3_open");
    return made;
  }();
  return open;
}

void execute(const char* statement) {
  char* problem = nullptr;
  if (sqlite3_exec(database(), statement, nullptr, nullptr, &problem) == SQLITE_OK) return;
  const std::runtime_error failure(problem == nullptr ? "sqlite3_exec" : problem);
  sqlite3_free(problem);
  throw failure;
}

}  // namespace

std::span<const call> sqlite() {
  static const call all[] = {
      {"SQLite: create tables", "SQLite: create tables, again",
       [] {
         execute(
             "drop table if exists orders; drop table if exists people;"
             "create table people(id integer primary key, name text, city text);"
             "create table orders(id integer primary key, person int references people(id),"
             " amount real, note text); create index by_person on orders(person, amount);");
       }},
      {"SQLite: insert 10,000 rows", "SQLite: insert 10,000 rows, again",
       [] {
         execute(
             "delete from people; delete from orders;"
             "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000)"
             " insert into orders select i, i % 100, i * 0.5, printf('note %d', i) from n;"
             "insert into people select distinct person, 'name ' || person, person % 7"
             " from orders;");
       },
       3},
      {"SQLite: join, group, order", "SQLite: join, group, order, again",
       [] {
         execute(
             "select city, count(*), sum(amount) from people join orders on person = people.id"
             " where note like '%9%' group by city having sum(amount) > 10 order by 3 desc;");
       }},
      {"SQLite: window function", "SQLite: window function, again",
       [] {
         execute(
             "select id, sum(amount) over (partition by person order by id"
             " rows between 3 preceding and current row) from orders;");
       }},
      {"SQLite: 10 nested subqueries", "SQLite: 10 nested subqueries, again",
       [] {
         static const std::string nested = [] {
           std::string text = "select 1";
           for (int i = 0; i < 10; ++i) text = "select * from (" + text + ")";
           return text;
         }();
         execute(nested.c_str());
       }},
      {"SQLite: an expression of 900 terms", "SQLite: an expression of 900 terms, again",
       [] {
         static const std::string sum = [] {
           std::string text = "select id";
           for (int i = 1; i < 900; ++i) text += " + id";
           return text + " from people";
         }();
         execute(sum.c_str());
       }},
  };
  return all;
}

}  // namespace costs
