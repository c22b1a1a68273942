import type { InterfaceStats } from "../contract.ts";

/** The counters of /proc/net/dev, loopback left out. */
export function parseNetDev(text: string): InterfaceStats[] {
  return text
    .split("\n")
    .map((line) => /^\s*([^\s:]+):\s*(.*)$/.exec(line))
    .filter((match) => match !== null)
    .map(([, name, counters]) => {
      const values = counters!.trim().split(/\s+/).map(Number);
      const [rxBytes = 0, rxPackets = 0, rxErrors = 0, rxDropped = 0] = values;
      const [txBytes = 0, txPackets = 0, txErrors = 0, txDropped = 0] = values.slice(8);
      return {
        name: name!,
        rxBytes,
        rxErrors,
        txBytes,
        txErrors,
        rxPackets,
        txPackets,
        rxDropped,
        txDropped,
      };
    })
    .filter(({ name }) => name !== "lo");
}
