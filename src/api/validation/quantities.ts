import { parseQuantity, type Quantity } from "../../machinery/index.ts";

/** Enough for every amount a cluster's manifests write; more are parsed again. */
const keptMax = 1_024;
const kept = new Map<string, Quantity>();

/** The amount that a (canonical) text stands for; throws a `QuantityError` for a text that is none. */
export function quantityOf(text: string): Quantity {
  const known = kept.get(text);
  if (known) return known;
  const quantity = parseQuantity(text);
  if (kept.size >= keptMax) kept.clear();
  kept.set(text, quantity);
  return quantity;
}
