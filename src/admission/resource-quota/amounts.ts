import { parseQuantity, type Quantity } from "../../machinery/index.ts";

/** Amounts by resource name. As `apiserver/pkg/quota/v1`'s functions on ResourceLists. */
export type Usage = Readonly<Record<string, Quantity>>;

export const one = parseQuantity("1");
const zero = parseQuantity("0");

export const usageOf = (list: Readonly<Record<string, string>> | undefined): Usage =>
  Object.fromEntries(Object.entries(list ?? {}).map(([name, text]) => [name, parseQuantity(text)]));

export const textsOf = (usage: Usage): Record<string, string> =>
  Object.fromEntries(Object.entries(usage).map(([name, amount]) => [name, amount.toString()]));

export function sum(a: Usage, b: Usage): Usage {
  const all: Record<string, Quantity> = { ...a };
  for (const [name, amount] of Object.entries(b)) all[name] = all[name]?.add(amount) ?? amount;
  return all;
}

/** What of `a` is more than in `b`. */
export function surplus(a: Usage, b: Usage): Usage {
  const more: Record<string, Quantity> = {};
  for (const [name, amount] of Object.entries(a)) {
    const left = amount.sub(b[name] ?? zero);
    if (left.sign > 0) more[name] = left;
  }
  return more;
}

export const only = (usage: Usage, wanted: (name: string) => boolean): Usage =>
  Object.fromEntries(Object.entries(usage).filter(([name]) => wanted(name)));

export const withoutZeros = (usage: Usage): Usage =>
  Object.fromEntries(Object.entries(usage).filter(([, amount]) => amount.sign !== 0));

/** Names of which there is more than the limit; what is not limited is no matter. */
export const above = (usage: Usage, limits: Usage): string[] =>
  Object.keys(usage).filter((name) => limits[name] && usage[name]!.compare(limits[name]) > 0);

export const isSame = (a: Usage, b: Usage): boolean => {
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => b[name]?.compare(a[name]!) === 0);
};

/** `cpu=1,pods=2`, by name. */
export const shown = (usage: Usage): string =>
  Object.keys(usage)
    .sort()
    .map((name) => `${name}=${usage[name]}`)
    .join(",");
