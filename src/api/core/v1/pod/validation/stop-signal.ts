import { fieldForbidden, fieldNotSupported } from "../../../../../machinery/index.ts";
import type { FieldErrors } from "../../../../validation/values.ts";

const realtime = [
  "SIGRTMIN",
  ...Array.from({ length: 15 }, (_, i) => `SIGRTMIN+${i + 1}`),
  ...Array.from({ length: 14 }, (_, i) => `SIGRTMAX-${14 - i}`),
  "SIGRTMAX",
];

const named =
  "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ";

/** What `lifecycle.stopSignal` may be on Linux. */
export const linuxStopSignals: readonly string[] = [
  ...named.split(" ").map((name) => `SIG${name}`),
  ...realtime,
].sort();

const windowsStopSignals: readonly string[] = ["SIGKILL", "SIGTERM"];

export function validateStopSignal(
  errors: FieldErrors,
  signal: string,
  os: string | undefined,
  path: string,
): void {
  if (os === undefined) {
    errors.push(fieldForbidden(path, "may not be set for containers with empty `spec.os.name`"));
    return;
  }
  const supported = os === "windows" ? windowsStopSignals : os === "linux" ? linuxStopSignals : [];
  if (supported.length > 0 && !supported.includes(signal))
    errors.push(fieldNotSupported(path, signal, supported));
}
