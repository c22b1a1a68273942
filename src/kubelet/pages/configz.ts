import type { KubeletConfig } from "../config/fields.ts";
import { kubeletConfigKind, kubeletConfigVersion } from "../config/read-config.ts";

/** `/configz`: the settings in force, as a file would say them. */
export function configzOf(config: KubeletConfig) {
  return {
    kubeletconfig: {
      kind: kubeletConfigKind,
      apiVersion: kubeletConfigVersion,
      ...(written(config) as object),
    },
  };
}

function written(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(written);
  if (typeof value !== "object" || value === null) return value;
  // A quantity writes itself.
  if ("toJSON" in value) return value;
  if (isDuration(value)) return durationText(value.ms);
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, written(each)]));
}

const isDuration = (value: object): value is { ms: number } =>
  Object.keys(value).length === 1 && "ms" in value && typeof value.ms === "number";

/** As Go prints a duration: `1m30s`, `0s`. */
function durationText(ms: number): string {
  if (ms !== 0 && ms < 1_000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor(ms / 60_000) % 60;
  const seconds = (ms % 60_000) / 1_000;
  return `${hours > 0 ? `${hours}h` : ""}${hours > 0 || minutes > 0 ? `${minutes}m` : ""}${seconds}s`;
}
