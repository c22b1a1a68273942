import { parseQuantity, type Quantity } from "../../machinery/index.ts";
import { RuntimeError } from "../contract.ts";
import type { Bandwidth } from "../pod-network.ts";

const annotations = {
  ingressBitsPerS: "kubernetes.io/ingress-bandwidth",
  egressBitsPerS: "kubernetes.io/egress-bandwidth",
} as const;
const bitsPerSMin = parseQuantity("1k");
const bitsPerSMax = parseQuantity("1P");

/** What a pod's annotations ask for. The bounds are Kubernetes' own, as are the words of their refusal. */
export function bandwidthOf(given: Readonly<Record<string, string>>): Bandwidth {
  const bandwidth: Bandwidth = {};
  for (const [direction, annotation] of Object.entries(annotations)) {
    const text = given[annotation];
    if (text === undefined) continue;
    bandwidth[direction as keyof Bandwidth] = checked(annotation, text).value();
  }
  return bandwidth;
}

function checked(annotation: string, text: string): Quantity {
  const refuse = (why: string) =>
    new RuntimeError("SandboxError", `annotation ${annotation}: ${JSON.stringify(text)}: ${why}`);
  let quantity: Quantity;
  try {
    quantity = parseQuantity(text);
  } catch (error) {
    throw refuse((error as Error).message);
  }
  if (quantity.compare(bitsPerSMin) < 0) throw refuse("resource is unreasonably small (< 1kbit)");
  if (quantity.compare(bitsPerSMax) > 0) throw refuse("resource is unreasonably large (> 1Pbit)");
  return quantity;
}
