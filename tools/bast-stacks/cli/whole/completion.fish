# SPDX-License-Identifier: Apache-2.0
# fish completion for bast-stacks
complete -c bast-stacks -n 'not __fish_seen_subcommand_from run top record report recommend flame static diff check export' -a run -d 'run a program and report its stacks when it ends'
complete -c bast-stacks -n 'not __fish_seen_subcommand_from run top record report recommend flame static diff check export' -a top -d 'watch stacks in the terminal'
complete -c bast-stacks -n 'not __fish_seen_subcommand_from run top record report recommend flame static diff check export' -a record -d 'look at a process for a while and write a recording'
complete -c bast-stacks -n 'not __fish_seen_subcommand_from run top record report recommend flame static diff check export' -a report -d 'show where stacks are too small or too large, and what to set'
complete -c bast-stacks -n 'not __fish_seen_subcommand_from run top record report recommend flame static diff check export' -a recommend -d 'say what size to set, and why'
complete -c bast-stacks -n 'not __fish_seen_subcommand_from run top record report recommend flame static diff check export' -a flame -d 'draw which calls took the bytes of the deepest stacks'
complete -c bast-stacks -n 'not __fish_seen_subcommand_from run top record report recommend flame static diff check export' -a static -d 'bound how deep a function can get, from its code'
complete -c bast-stacks -n 'not __fish_seen_subcommand_from run top record report recommend flame static diff check export' -a diff -d 'compare two recordings, site by site'
complete -c bast-stacks -n 'not __fish_seen_subcommand_from run top record report recommend flame static diff check export' -a check -d 'fail if a site is over its budget'
complete -c bast-stacks -n 'not __fish_seen_subcommand_from run top record report recommend flame static diff check export' -a export -d 'write a snapshot for other programs'
complete -c bast-stacks -n '__fish_seen_subcommand_from run' -l help -d 'print this and exit'
complete -c bast-stacks -n '__fish_seen_subcommand_from run' -l deepest -d 'record a backtrace at every new page, not only at growth'
complete -c bast-stacks -n '__fish_seen_subcommand_from run' -l output -d 'write a recording here instead of a report' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from top' -l help -d 'print this and exit'
complete -c bast-stacks -n '__fish_seen_subcommand_from top' -l no-live -d 'do not look at how deep live stacks are'
complete -c bast-stacks -n '__fish_seen_subcommand_from top' -l program -d 'the executable of a core file, if it has moved; its build id must be that of the program that ran' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from top' -l every -d 'time between two looks (2s)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from top' -l quantile -d 'lower a limit only if this part of all uses stays within the deepest seen (99.9, and a program that goes on was seen for an hour)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from top' -l confidence -d 'and that with this confidence (95)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from record' -l help -d 'print this and exit'
complete -c bast-stacks -n '__fish_seen_subcommand_from record' -l output -d 'where to write to; - is standard output' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from record' -l duration -d 'how long; without it until interrupted or the end of the process' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from record' -l every -d 'time between two looks (1s)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from record' -l deepest -d 'watch page faults for the calls of the deepest stacks, see above'
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l help -d 'print this and exit'
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l no-live -d 'do not look at how deep live stacks are'
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l program -d 'the executable of a core file, if it has moved; its build id must be that of the program that ran' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l by -d 'what a row is (site)' -x -a 'site stack pool'
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l sort -d 'what comes first (margin)' -x -a 'margin max uses waste site'
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l top -d 'how many rows' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l site -d 'all that is known of the sites that match' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l all -d 'every row, every pool, every reservation'
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l bytes -d 'sizes in bytes, not in KiB'
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l quantile -d 'lower a limit only if this part of all uses stays within the deepest seen (99.9, and a program that goes on was seen for an hour)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l confidence -d 'and that with this confidence (95)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l bound -d 'a static bound that is sound, for the sites that match: GLOB=SIZE, as in '\''parse.cpp:*=40 KiB'\''' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l static -d 'the program that ran: recommend no less than the bounds of its code, where they are sound' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l no-default-annotations -d 'leave out the annotations that come with bast-stacks, of what ends every process'
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l annotations -d 'what the analysis cannot know' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l format -d 'what to write (text); json is a recording' -x -a 'text json'
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l json -d 'the same as --format json'
complete -c bast-stacks -n '__fish_seen_subcommand_from report' -l output -d 'where to write to; - is standard output' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l help -d 'print this and exit'
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l no-live -d 'do not look at how deep live stacks are'
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l program -d 'the executable of a core file, if it has moved; its build id must be that of the program that ran' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l quantile -d 'lower a limit only if this part of all uses stays within the deepest seen (99.9, and a program that goes on was seen for an hour)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l confidence -d 'and that with this confidence (95)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l bound -d 'a static bound that is sound, for the sites that match: GLOB=SIZE, as in '\''parse.cpp:*=40 KiB'\''' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l static -d 'the program that ran: recommend no less than the bounds of its code, where they are sound' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l no-default-annotations -d 'leave out the annotations that come with bast-stacks, of what ends every process'
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l annotations -d 'what the analysis cannot know' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l bytes -d 'sizes in bytes, not in KiB'
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l format -d 'what to write (text)' -x -a 'text json'
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l json -d 'the same as --format json'
complete -c bast-stacks -n '__fish_seen_subcommand_from recommend' -l output -d 'where to write to; - is standard output' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from flame' -l help -d 'print this and exit'
complete -c bast-stacks -n '__fish_seen_subcommand_from flame' -l no-live -d 'do not look at how deep live stacks are'
complete -c bast-stacks -n '__fish_seen_subcommand_from flame' -l program -d 'the executable of a core file, if it has moved; its build id must be that of the program that ran' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from flame' -l site -d 'only the sites that match' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from flame' -l format -d 'what to write (svg)' -x -a 'svg folded speedscope'
complete -c bast-stacks -n '__fish_seen_subcommand_from flame' -l output -d 'where to write to; - is standard output' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l help -d 'print this and exit'
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l root -d 'a function where a stack begins (main); may be repeated' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l no-default-annotations -d 'leave out the annotations that come with bast-stacks, of what ends every process'
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l annotations -d 'what the analysis cannot know' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l su -d 'a directory of .su and .ci files of the compiler' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l measured -d 'a process, core file or recording to compare with' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l details -d 'each reason by name'
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l frames -d 'the frame of every function, and no bound'
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l format -d 'what to write (text)' -x -a 'text json'
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l json -d 'the same as --format json'
complete -c bast-stacks -n '__fish_seen_subcommand_from static' -l output -d 'where to write to; - is standard output' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from diff' -l help -d 'print this and exit'
complete -c bast-stacks -n '__fish_seen_subcommand_from diff' -l all -d 'also what did not change'
complete -c bast-stacks -n '__fish_seen_subcommand_from diff' -l exit-code -d 'exit with 1 if a site got deeper'
complete -c bast-stacks -n '__fish_seen_subcommand_from diff' -l bytes -d 'sizes in bytes, not in KiB'
complete -c bast-stacks -n '__fish_seen_subcommand_from diff' -l format -d 'what to write (text)' -x -a 'text json'
complete -c bast-stacks -n '__fish_seen_subcommand_from diff' -l json -d 'the same as --format json'
complete -c bast-stacks -n '__fish_seen_subcommand_from diff' -l output -d 'where to write to; - is standard output' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from check' -l help -d 'print this and exit'
complete -c bast-stacks -n '__fish_seen_subcommand_from check' -l no-live -d 'do not look at how deep live stacks are'
complete -c bast-stacks -n '__fish_seen_subcommand_from check' -l program -d 'the executable of a core file, if it has moved; its build id must be that of the program that ran' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from check' -l budget -d 'the budgets' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from check' -l update -d 'rewrite the budgets to what was seen, and a margin'
complete -c bast-stacks -n '__fish_seen_subcommand_from check' -l margin -d 'that margin (10)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from check' -l format -d 'what to write (text)' -x -a 'text junit sarif github'
complete -c bast-stacks -n '__fish_seen_subcommand_from check' -l output -d 'where to write to; - is standard output' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l help -d 'print this and exit'
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l no-live -d 'do not look at how deep live stacks are'
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l program -d 'the executable of a core file, if it has moved; its build id must be that of the program that ran' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l format -d 'what to write (json)' -x -a 'json csv prometheus folded speedscope html'
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l quantile -d 'lower a limit only if this part of all uses stays within the deepest seen (99.9, and a program that goes on was seen for an hour)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l confidence -d 'and that with this confidence (95)' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l bound -d 'a static bound that is sound, for the sites that match: GLOB=SIZE, as in '\''parse.cpp:*=40 KiB'\''' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l static -d 'the program that ran: recommend no less than the bounds of its code, where they are sound' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l no-default-annotations -d 'leave out the annotations that come with bast-stacks, of what ends every process'
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l annotations -d 'what the analysis cannot know' -r
complete -c bast-stacks -n '__fish_seen_subcommand_from export' -l output -d 'where to write to; - is standard output' -r
