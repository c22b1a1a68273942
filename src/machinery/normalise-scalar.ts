import { canonicalQuantity, QuantityError } from "./quantity.ts";
import type { ScalarType } from "./schema.ts";
import { canonicalTime } from "./time.ts";

/** Notes what is wrong: the value, the Go type expected, and for a value of the right JSON type why it is not one. */
type Fail = (got: unknown, goType: string, detail?: string) => unknown;

/** The value in the form that is stored, or what `fail` returns. */
export function normaliseScalar(type: ScalarType, value: unknown, fail: Fail): unknown {
  switch (type) {
    case "string":
      return typeof value === "string" ? value : fail(value, "string");
    case "boolean":
      return typeof value === "boolean" ? value : fail(value, "bool");
    case "int32":
      return typeof value === "number" && (value | 0) === value ? value : fail(value, "int32");
    case "int64":
      return isInt64(value) ? value : fail(value, "int64");
    case "double":
      return typeof value === "number" ? value : fail(value, "float64");
    case "intOrString":
      if (typeof value === "string") return value;
      return typeof value === "number" && (value | 0) === value ? value : fail(value, "int32");
    case "quantity":
      return quantity(value, fail);
    case "bytes":
      return typeof value === "string" ? base64(value, fail) : fail(value, "[]uint8");
    case "time":
    case "microTime":
      return typeof value === "string" ? time(value, type, fail) : fail(value, "string");
  }
}

/** Past 2^53 a double has no room for every integer, but each it holds is one. */
const isInt64 = (value: unknown) =>
  typeof value === "number" && Number.isInteger(value) && value >= -(2 ** 63) && value <= 2 ** 63;

function quantity(value: unknown, fail: Fail): unknown {
  if (typeof value !== "string" && typeof value !== "number") return fail(value, "resource.Quantity");
  try {
    return canonicalQuantity(String(value));
  } catch (error) {
    if (error instanceof QuantityError) return fail(value, "resource.Quantity", error.message);
    throw error;
  }
}

function time(value: string, type: "time" | "microTime", fail: Fail): unknown {
  const layout = type === "time" ? "2006-01-02T15:04:05Z07:00" : "2006-01-02T15:04:05.000000Z07:00";
  const quoted = JSON.stringify(value);
  return (
    canonicalTime(value, type) ??
    fail(value, "time.Time", `parsing time ${quoted} as "${layout}": cannot parse ${quoted}`)
  );
}

function base64(value: string, fail: Fail): unknown {
  // Go's decoder skips line ends.
  const text = /[\r\n]/.test(value) ? value.replace(/[\r\n]/g, "") : value;
  if (text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)) return text;
  const at = /^[A-Za-z0-9+/]*/.exec(text)![0].length;
  return fail(value, "[]uint8", `illegal base64 data at input byte ${at}`);
}
