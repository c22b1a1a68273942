/* What becomes of a container's old logs. As `pkg/kubelet/logs/container_log_manager.go`. */

export interface RotationPlan {
  remove: string[];
  compress: string[];
}

const compressed = ".gz";
const temporary = ".tmp";

export const compressedName = (name: string) => `${name}${compressed}`;
export const temporaryName = (name: string) => `${name}${temporary}`;

/**
 * For the files that earlier rotations left (`0.log.TIME`, `0.log.TIME.gz`, `….tmp`): beside the one that is about to
 * be rotated and the one that takes its place, `filesMax - 2` are kept.
 */
export function rotationPlan(names: readonly string[], filesMax: number): RotationPlan {
  const isLeftOver = (name: string) => name.endsWith(temporary) || names.includes(compressedName(name));
  const leftOver = names.filter(isLeftOver);
  const inUse = names.filter((name) => !isLeftOver(name)).sort();
  const kept = inUse.slice(Math.max(inUse.length - Math.max(filesMax - 2, 0), 0));
  return {
    remove: [...leftOver, ...inUse.filter((name) => !kept.includes(name))],
    compress: kept.filter((name) => !name.endsWith(compressed)),
  };
}

/** `20060102-150405`, as upstream names them; of UTC, so that no change of time puts them out of order. */
export const rotatedName = (name: string, nowMs: number) =>
  `${name}.${new Date(nowMs)
    .toISOString()
    .replace(/[-:]|\.\d+Z$/g, "")
    .replace("T", "-")}`;
