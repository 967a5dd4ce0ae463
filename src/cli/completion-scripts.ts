/**
 * The scripts that tie a shell's completion to `memspool __complete`. They hold no command and no
 * option, so they stay right when memspool is upgraded.
 */

export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Bash takes words apart at `=` and `:`; they are put together, and the answers cut, here. */
const BASH = `# Completion of memspool for bash. For this shell: source <(memspool completion bash)
# For every shell: put that line into ~/.bashrc.
_memspool() {
  local word last='' typed cut='' value files='' i
  local -a words=()
  for ((i = 1; i <= COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if ((\${#words[@]} > 0)) && [[ $word == [=:]* || $last == [=:] ]]; then
      words[\${#words[@]} - 1]+=$word
    else
      words+=("$word")
    fi
    last=$word
  done
  typed=\${words[\${#words[@]} - 1]}
  if [[ $COMP_WORDBREAKS == *=* && $typed == *=* ]]; then cut=\${typed%"\${typed##*=}"}; fi
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    case $value in
      :files)
        files=yes
        compopt -o default 2>/dev/null
        ;;
      :directories) compopt -o dirnames 2>/dev/null ;;
      :nospace) compopt -o nospace 2>/dev/null ;;
      :values | '') ;;
      *) COMPREPLY+=("\${value#"$cut"}") ;;
    esac
  done < <(command memspool __complete -- "\${words[@]}" 2>/dev/null)
  # Bash's own files come only where there is nothing else.
  if [[ $files && \${#COMPREPLY[@]} -gt 0 ]]; then
    while IFS= read -r value; do COMPREPLY+=("$value"); done < <(compgen -f -- "$typed")
    compopt -o filenames 2>/dev/null
  fi
}
complete -F _memspool memspool
`;

const ZSH = `#compdef memspool
# Completion of memspool for zsh. For this shell, after compinit: source <(memspool completion zsh)
# For every shell: memspool completion zsh > a directory of $fpath/_memspool
_memspool() {
  local line value kind=values
  local -a lines candidates more
  lines=("\${(@f)$(command memspool __complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  for line in "\${lines[@]}"; do
    case $line in
      :*) kind=\${line#:} ;;
      ?*)
        value=\${line%%$'\\t'*}
        candidates+=("\${value//:/\\\\:}:\${line#*$'\\t'}")
        ;;
    esac
  done
  case $kind in
    files)
      ((\${#candidates[@]})) && _describe 'memspool' candidates
      _files
      ;;
    directories) _files -/ ;;
    nospace) more=(-S '') ;&
    *) _describe 'memspool' candidates "\${more[@]}" ;;
  esac
}
if [[ \${funcstack[1]} == _memspool ]]; then
  _memspool "$@"
else
  compdef _memspool memspool
fi
`;

const FISH = `# Completion of memspool for fish. For this shell: memspool completion fish | source
# For every shell: memspool completion fish > ~/.config/fish/completions/memspool.fish
function __memspool_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l typed (commandline -ct)
    for line in (command memspool __complete -- $words "$typed" 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$typed"
            case ':directories'
                __fish_complete_directories "$typed"
            case ':*' ''
            case '*'
                echo $line
        end
    end
end
complete -c memspool -f -a '(__memspool_complete)'
`;

export function completionScript(shell: Shell): string {
  return { bash: BASH, zsh: ZSH, fish: FISH }[shell];
}
