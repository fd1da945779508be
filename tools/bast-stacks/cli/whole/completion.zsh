#compdef bast-stacks
# SPDX-License-Identifier: Apache-2.0
_bast_stacks() {
  local -a commands=(
    'run:run a program and report its stacks when it ends'
    'top:watch stacks in the terminal'
    'record:look at a process for a while and write a recording'
    'report:show where stacks are too small or too large, and what to set'
    'recommend:say what size to set, and why'
    'flame:draw which calls took the bytes of the deepest stacks'
    'static:bound how deep a function can get, from its code'
    'diff:compare two recordings, site by site'
    'check:fail if a site is over its budget'
    'export:write a snapshot for other programs'
  )
  if ((CURRENT == 2)); then
    _describe command commands
    _files
    return
  fi
  case $words[2] in
    run)
      _arguments \
        '--help[print this and exit]' \
        '--deepest[record a backtrace at every new page, not only at growth]' \
        '--output[write a recording here instead of a report]: :_files' \
        '*:source:_files' ;;
    top)
      _arguments \
        '--help[print this and exit]' \
        '--no-live[do not look at how deep live stacks are]' \
        '--program[the executable of a core file, if it has moved; its build id must be that of the program that ran]: :_files' \
        '--every[time between two looks (2s)]: :_files' \
        '--quantile[lower a limit only if this part of all uses stays within the deepest seen (99.9, and a program that goes on was seen for an hour)]: :_files' \
        '--confidence[and that with this confidence (95)]: :_files' \
        '*:source:_files' ;;
    record)
      _arguments \
        '--help[print this and exit]' \
        '--output[where to write to; - is standard output]: :_files' \
        '--duration[how long; without it until interrupted or the end of the process]: :_files' \
        '--every[time between two looks (1s)]: :_files' \
        '--deepest[watch page faults for the calls of the deepest stacks, see above]' \
        '*:source:_files' ;;
    report)
      _arguments \
        '--help[print this and exit]' \
        '--no-live[do not look at how deep live stacks are]' \
        '--program[the executable of a core file, if it has moved; its build id must be that of the program that ran]: :_files' \
        '--by[what a row is (site)]: :(site stack pool)' \
        '--sort[what comes first (margin)]: :(margin max uses waste site)' \
        '--top[how many rows]: :_files' \
        '--site[all that is known of the sites that match]: :_files' \
        '--all[every row, every pool, every reservation]' \
        '--bytes[sizes in bytes, not in KiB]' \
        '--quantile[lower a limit only if this part of all uses stays within the deepest seen (99.9, and a program that goes on was seen for an hour)]: :_files' \
        '--confidence[and that with this confidence (95)]: :_files' \
        '--bound[a static bound that is sound, for the sites that match\: GLOB=SIZE, as in '\''parse.cpp\:*=40 KiB'\'']: :_files' \
        '--static[the program that ran\: recommend no less than the bounds of its code, where they are sound]: :_files' \
        '--no-default-annotations[leave out the annotations that come with bast-stacks, of what ends every process]' \
        '--annotations[what the analysis cannot know]: :_files' \
        '--format[what to write (text); json is a recording]: :(text json)' \
        '--json[the same as --format json]' \
        '--output[where to write to; - is standard output]: :_files' \
        '*:source:_files' ;;
    recommend)
      _arguments \
        '--help[print this and exit]' \
        '--no-live[do not look at how deep live stacks are]' \
        '--program[the executable of a core file, if it has moved; its build id must be that of the program that ran]: :_files' \
        '--quantile[lower a limit only if this part of all uses stays within the deepest seen (99.9, and a program that goes on was seen for an hour)]: :_files' \
        '--confidence[and that with this confidence (95)]: :_files' \
        '--bound[a static bound that is sound, for the sites that match\: GLOB=SIZE, as in '\''parse.cpp\:*=40 KiB'\'']: :_files' \
        '--static[the program that ran\: recommend no less than the bounds of its code, where they are sound]: :_files' \
        '--no-default-annotations[leave out the annotations that come with bast-stacks, of what ends every process]' \
        '--annotations[what the analysis cannot know]: :_files' \
        '--bytes[sizes in bytes, not in KiB]' \
        '--format[what to write (text)]: :(text json)' \
        '--json[the same as --format json]' \
        '--output[where to write to; - is standard output]: :_files' \
        '*:source:_files' ;;
    flame)
      _arguments \
        '--help[print this and exit]' \
        '--no-live[do not look at how deep live stacks are]' \
        '--program[the executable of a core file, if it has moved; its build id must be that of the program that ran]: :_files' \
        '--site[only the sites that match]: :_files' \
        '--format[what to write (svg)]: :(svg folded speedscope)' \
        '--output[where to write to; - is standard output]: :_files' \
        '*:source:_files' ;;
    static)
      _arguments \
        '--help[print this and exit]' \
        '--root[a function where a stack begins (main); may be repeated]: :_files' \
        '--no-default-annotations[leave out the annotations that come with bast-stacks, of what ends every process]' \
        '--annotations[what the analysis cannot know]: :_files' \
        '--su[a directory of .su and .ci files of the compiler]: :_files' \
        '--measured[a process, core file or recording to compare with]: :_files' \
        '--details[each reason by name]' \
        '--frames[the frame of every function, and no bound]' \
        '--format[what to write (text)]: :(text json)' \
        '--json[the same as --format json]' \
        '--output[where to write to; - is standard output]: :_files' \
        '*:source:_files' ;;
    diff)
      _arguments \
        '--help[print this and exit]' \
        '--all[also what did not change]' \
        '--exit-code[exit with 1 if a site got deeper]' \
        '--bytes[sizes in bytes, not in KiB]' \
        '--format[what to write (text)]: :(text json)' \
        '--json[the same as --format json]' \
        '--output[where to write to; - is standard output]: :_files' \
        '*:source:_files' ;;
    check)
      _arguments \
        '--help[print this and exit]' \
        '--no-live[do not look at how deep live stacks are]' \
        '--program[the executable of a core file, if it has moved; its build id must be that of the program that ran]: :_files' \
        '--budget[the budgets]: :_files' \
        '--update[rewrite the budgets to what was seen, and a margin]' \
        '--margin[that margin (10)]: :_files' \
        '--format[what to write (text)]: :(text junit sarif github)' \
        '--output[where to write to; - is standard output]: :_files' \
        '*:source:_files' ;;
    export)
      _arguments \
        '--help[print this and exit]' \
        '--no-live[do not look at how deep live stacks are]' \
        '--program[the executable of a core file, if it has moved; its build id must be that of the program that ran]: :_files' \
        '--format[what to write (json)]: :(json csv prometheus folded speedscope html)' \
        '--quantile[lower a limit only if this part of all uses stays within the deepest seen (99.9, and a program that goes on was seen for an hour)]: :_files' \
        '--confidence[and that with this confidence (95)]: :_files' \
        '--bound[a static bound that is sound, for the sites that match\: GLOB=SIZE, as in '\''parse.cpp\:*=40 KiB'\'']: :_files' \
        '--static[the program that ran\: recommend no less than the bounds of its code, where they are sound]: :_files' \
        '--no-default-annotations[leave out the annotations that come with bast-stacks, of what ends every process]' \
        '--annotations[what the analysis cannot know]: :_files' \
        '--output[where to write to; - is standard output]: :_files' \
        '*:source:_files' ;;
  esac
}
_bast_stacks "$@"
