import type { corev1 } from "../../../index.ts";

type Taint = Pick<corev1.Taint, "key" | "value" | "effect">;

/** Whether one of `tolerations` matches `taint`. As `component-helpers/scheduling/corev1.TolerationsTolerateTaint`. */
export const tolerates = (tolerations: readonly corev1.Toleration[] | undefined, taint: Taint): boolean =>
  (tolerations ?? []).some((toleration) => toleratesTaint(toleration, taint));

export function toleratesTaint(toleration: corev1.Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  switch (toleration.operator ?? "Equal") {
    case "Exists":
      return true;
    case "Lt":
    case "Gt": {
      const [have, limit] = [Number(taint.value), Number(toleration.value)];
      if (!Number.isInteger(have) || !Number.isInteger(limit)) return false;
      return toleration.operator === "Lt" ? have < limit : have > limit;
    }
    default:
      // An empty key with Equal matches nothing but is refused by validation.
      return toleration.key !== undefined && (toleration.value ?? "") === (taint.value ?? "");
  }
}
