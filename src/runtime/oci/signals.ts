import { constants } from "node:os";

const realTimeFirst = 34;
const realTimeLast = 64;

/** `SIGTERM`, `TERM`, `15`, `RTMIN+3`, as image configs write them; `undefined` for what is no signal. */
export function parseSignal(text: string): number | undefined {
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= realTimeLast ? number : undefined;
  }
  const name = text.toUpperCase().replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name);
  if (realTime) {
    const base = realTime[1] === "MIN" ? realTimeFirst : realTimeLast;
    const offset = Number(realTime[3] ?? 0) * (realTime[2] === "-" ? -1 : 1);
    const number = base + offset;
    return number >= realTimeFirst && number <= realTimeLast ? number : undefined;
  }
  return (constants.signals as Record<string, number>)[`SIG${name}`];
}
