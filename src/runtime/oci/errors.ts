import { RuntimeError } from "../contract.ts";

/** Of a container that could not be started, as containerd reports it and the kubelet shows it. */
export const startErrorExitCode = 128;

/**
 * A runtime's complaint in the words that users of Kubernetes know and search for: those of runc, whichever runtime
 * it was.
 */
export function explainStartFailure(complaint: string, command: string): string {
  const reason = complaint
    .trim()
    .split("\n")
    .filter((line) => !line.includes("[conmon"))
    .map(withoutLogDress)
    .join("; ");
  return `OCI runtime create failed: ${inFamiliarWords(reason, command) ?? reason}`;
}

/** crun begins a line with the time; runc writes `time=… level=error msg="…"`. */
function withoutLogDress(line: string): string {
  const message = /\bmsg=("(?:[^"\\]|\\.)*")/.exec(line)?.[1];
  return message ? (JSON.parse(message) as string) : line.replace(/^\S+T\S+Z?: /, "");
}

const quoted = (text: string) => JSON.stringify(text);

function inFamiliarWords(reason: string, command: string): string | undefined {
  const missing = /executable file [`'"](.*?)[`'"] not found( in \$PATH)?/.exec(reason);
  if (missing) {
    const name = missing[1] || command;
    return name.startsWith("/")
      ? `unable to start container process: exec: ${quoted(name)}: stat ${name}: no such file or directory`
      : `unable to start container process: exec: ${quoted(name)}: executable file not found in $PATH`;
  }
  if (/^open executable: No such file or directory|stat .*No such file/i.test(reason)) {
    return `unable to start container process: exec: ${quoted(command)}: stat ${command}: no such file or directory`;
  }
  if (
    /the path [`'"].*[`'"] exists but it is not executable|open executable: Permission denied/i.test(reason)
  ) {
    return `unable to start container process: exec: ${quoted(command)}: permission denied`;
  }
  return undefined;
}

/** The shell's convention, which users of exec expect: 127 for a command that is not there, 126 for one that may not run. */
export function execFailureCode(complaint: string): 126 | 127 | undefined {
  if (/not found|no such file or directory/i.test(complaint)) return 127;
  if (/not executable|permission denied|exec format error/i.test(complaint)) return 126;
  return undefined;
}

export function notFound(what: "container" | "sandbox", id: string): RuntimeError {
  return new RuntimeError("NotFound", `no ${what} ${id}`);
}
