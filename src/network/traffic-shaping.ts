import { type Bandwidth, runTool } from "../runtime/index.ts";
import { hostLinkName, linkExists } from "./links.ts";

/** As the CNI plugin `bandwidth`: longer a packet does not wait for its turn. */
const latencyMs = 25;
/** What may go at once after a pause: a tenth of a second's worth, but a few packets at the least. */
const burstS = 0.1;
const burstBytesMin = 32 * 1024;
const burstBytesMax = 256 * 1024 * 1024;
/** No link is faster, and the kernel's reckoning of token buckets ends not far above. */
const shapedBitsPerSMax = 1e12;

/** The device that a pod's outgoing packets are led through, as a queue holds back only what leaves a device. */
const shaperName = (address: string) => hostLinkName(address).replace(/^pp/, "pb");

/** Limits what a pod gets and sends. Once more with other numbers changes them. */
export async function shapeTraffic(address: string, owner: string, bandwidth: Bandwidth): Promise<void> {
  const { ingressBitsPerS, egressBitsPerS } = bandwidth;
  const link = hostLinkName(address);
  if (isShaped(ingressBitsPerS)) await tc([`qdisc replace dev ${link} root ${bucket(ingressBitsPerS)}`]);
  if (!isShaped(egressBitsPerS)) return;
  const shaper = shaperName(address);
  if (!linkExists(shaper)) await runTool("ip", ["link", "add", shaper, "type", "ifb"]);
  await runTool("ip", ["link", "set", "dev", shaper, "up", "alias", owner]);
  // From an earlier, cut off attempt.
  await tc([`qdisc del dev ${link} ingress`]).catch(() => {});
  await tc([
    `qdisc replace dev ${shaper} root ${bucket(egressBitsPerS)}`,
    `qdisc add dev ${link} ingress`,
    `filter add dev ${link} parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev ${shaper}`,
  ]);
}

/** The pod's link takes its own queue along; this is the rest. */
export async function endShaping(address: string): Promise<void> {
  const shaper = shaperName(address);
  if (linkExists(shaper)) await runTool("ip", ["link", "del", "dev", shaper]);
}

/** Of pods that were never detached. */
export async function purgeShapers(owner: string): Promise<void> {
  const links = JSON.parse((await runTool("ip", ["-j", "link", "show", "type", "ifb"])) || "[]") as {
    ifname?: string;
    ifalias?: string;
  }[];
  for (const { ifname, ifalias } of links) {
    if (ifname && ifalias === owner) await runTool("ip", ["link", "del", "dev", ifname]);
  }
}

const isShaped = (bitsPerS: number | undefined): bitsPerS is number =>
  bitsPerS !== undefined && bitsPerS <= shapedBitsPerSMax;

function bucket(bitsPerS: number): string {
  const worth = Math.ceil((bitsPerS / 8) * burstS);
  const burstBytes = Math.min(Math.max(worth, burstBytesMin), burstBytesMax);
  return `tbf rate ${Math.round(bitsPerS)}bit burst ${burstBytes}b latency ${latencyMs}ms`;
}

async function tc(lines: readonly string[]): Promise<void> {
  await runTool("tc", ["-batch", "-"], { input: `${lines.join("\n")}\n` });
}
