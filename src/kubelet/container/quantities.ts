import { parseQuantity } from "../../machinery/index.ts";

/** A whole number, rounded up; 0 for what is absent. */
export const wholeOf = (quantity: string | undefined): number =>
  quantity === undefined ? 0 : parseQuantity(String(quantity)).value();

/** Thousandths, rounded up; 0 for what is absent. */
export const milliOf = (quantity: string | undefined): number =>
  quantity === undefined ? 0 : parseQuantity(String(quantity)).milliValue();

export const quantityIsZero = (quantity: string): boolean => parseQuantity(String(quantity)).sign === 0;

export const sameQuantity = (a: string, b: string): boolean =>
  a === b || parseQuantity(String(a)).compare(parseQuantity(String(b))) === 0;
