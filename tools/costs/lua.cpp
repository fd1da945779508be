// SPDX-License-Identifier: Apache-2.0
//
// Lua: its own calls need no C stack; calls through C functions do.
#include "costs.hpp"

#include <lua.hpp>

#include <stdexcept>
#include <string>

namespace costs {
namespace {

void run(const char* program) {
  lua_State* const state = luaL_newstate();
  if (state == nullptr) throw std::runtime_error("luaL_newstate");
  luaL_openlibs(state);
  if (luaL_dostring(state, program) != LUA_OK) {
    const std::runtime_error failure(lua_tostring(state, -1));
    lua_close(state);
    throw failure;
  }
  lua_close(state);
}

}  // namespace

std::span<const call> lua() {
  static const call all[] = {
      {"Lua: fib(20)", "Lua: fib(20), again",
       [] {
         run("local function fib(n) return n < 2 and n or fib(n - 1) + fib(n - 2) end "
             "assert(fib(20) == 6765)");
       }},
      {"Lua: 100,000 calls deep", "Lua: 100,000 calls deep, again",
       [] {
         run("local function down(n) if n == 0 then return 0 end return 1 + down(n - 1) end "
             "assert(down(100000) == 100000)");
       }},
      {"Lua: 150 calls deep through pcall", "Lua: 150 calls deep through pcall, again",
       [] {
         run("local function down(n) if n == 0 then return 0 end "
             "local fine, below = pcall(down, n - 1) return 1 + below end assert(down(150) == "
             "150)");
       }},
      {"Lua: table.sort and string.gsub", "Lua: table.sort and string.gsub, again",
       [] {
         run("local t = {} for i = 1, 1000 do t[i] = (i * 7919) % 1000 end table.sort(t) "
             "local s = string.gsub(string.rep('ab', 500), '(a)(b)', '%2%1')");
       }},
  };
  return all;
}

}  // namespace costs
