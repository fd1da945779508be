# SPDX-License-Identifier: Apache-2.0
# bash completion for bast-stacks
_bast_stacks() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]}
  local words=
  if ((COMP_CWORD == 1)); then
    words='run top record report recommend flame static diff check export --help --version'
  else
    case ${COMP_WORDS[1]} in
      run)
        case $before in
          *) [[ $word == -* ]] && words='--deepest -o --output -h --help' ;;
        esac ;;
      top)
        case $before in
          *) [[ $word == -* ]] && words='--no-live --program --every --quantile --confidence -h --help' ;;
        esac ;;
      record)
        case $before in
          *) [[ $word == -* ]] && words='-o --output --duration --every --deepest -h --help' ;;
        esac ;;
      report)
        case $before in
          --by) words='site stack pool' ;;
          --sort) words='margin max uses waste site' ;;
          --format) words='text json' ;;
          *) [[ $word == -* ]] && words='--no-live --program --by --sort --top --site --all --bytes --quantile --confidence --bound --static --no-default-annotations --annotations --format --json -o --output -h --help' ;;
        esac ;;
      recommend)
        case $before in
          --format) words='text json' ;;
          *) [[ $word == -* ]] && words='--no-live --program --quantile --confidence --bound --static --no-default-annotations --annotations --bytes --format --json -o --output -h --help' ;;
        esac ;;
      flame)
        case $before in
          --format) words='svg folded speedscope' ;;
          *) [[ $word == -* ]] && words='--no-live --program --site --format -o --output -h --help' ;;
        esac ;;
      static)
        case $before in
          --format) words='text json' ;;
          *) [[ $word == -* ]] && words='--root --no-default-annotations --annotations --su --measured --details --frames --format --json -o --output -h --help' ;;
        esac ;;
      diff)
        case $before in
          --format) words='text json' ;;
          *) [[ $word == -* ]] && words='--all --exit-code --bytes --format --json -o --output -h --help' ;;
        esac ;;
      check)
        case $before in
          --format) words='text junit sarif github' ;;
          *) [[ $word == -* ]] && words='--no-live --program --budget --update --margin --format -o --output -h --help' ;;
        esac ;;
      export)
        case $before in
          --format) words='json csv prometheus folded speedscope html' ;;
          *) [[ $word == -* ]] && words='--no-live --program --format --quantile --confidence --bound --static --no-default-annotations --annotations -o --output -h --help' ;;
        esac ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -o default -F _bast_stacks bast-stacks
