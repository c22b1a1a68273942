import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { replaceFile } from "../../base/index.ts";

/** Ids of the host, from `hostId` on, that are 0… in a pod. */
export interface IdRange {
  hostId: number;
  length: number;
}

/** A pod's file of them, in the form of upstream's (`pkg/kubelet/userns`). */
const fileName = "userns";
const idsMax = 2 ** 32;

interface Mapping {
  hostId: number;
  containerId: number;
  length: number;
}

/**
 * The host's users that stand for those of pods with users of their own.
 *
 * - No two pods have one in common, and none has one of the host's own (those below the first range).
 * - What is on the disk is the state: a pod's range stands in the pod's folder and goes with it.
 */
export class IdRanges {
  readonly #podsDir: string;
  readonly #length: number;
  readonly #given: () => IdRange | undefined;

  /** `given`: where the machine's administrator wants them; all but the host's own otherwise. */
  constructor(options: { podsDir: string; idsPerPod: number; given: () => IdRange | undefined }) {
    this.#podsDir = options.podsDir;
    this.#length = options.idsPerPod;
    this.#given = options.given;
  }

  /** The pod's range, the same for each of its sandboxes. Synchronous, so that two pods never choose at once. */
  of(podUid: string): IdRange {
    const own = this.#read(podUid);
    if (own) return own;
    const range = this.#choose();
    const mapping: Mapping = { hostId: range.hostId, containerId: 0, length: range.length };
    mkdirSync(join(this.#podsDir, podUid), { recursive: true, mode: 0o750 });
    const text = JSON.stringify({ uidMappings: [mapping], gidMappings: [mapping] });
    replaceFile(this.#pathOf(podUid), text, { mode: 0o600 });
    return range;
  }

  #choose(): IdRange {
    const length = this.#length;
    const { hostId: first, length: available } = this.#given() ?? { hostId: length, length: idsMax - length };
    if (first < length || first % length !== 0 || available % length !== 0) {
      throw new Error(`the kubelet's ids (${first}, ${available} of them) are no multiple of ${length}`);
    }
    const used = readdirSync(this.#podsDir).flatMap((uid) => this.#read(uid) ?? []);
    used.sort((a, b) => a.hostId - b.hostId);
    let hostId = first;
    for (const range of used) {
      if (range.hostId >= hostId + length) break;
      // Rounded up: with other settings, an earlier agent may have given ranges of another length.
      hostId = Math.max(hostId, Math.ceil((range.hostId + range.length) / length) * length);
    }
    if (hostId + length > first + available)
      throw new Error("could not find an empty slot to allocate a user namespace");
    return { hostId, length };
  }

  #read(podUid: string): IdRange | undefined {
    let text: string;
    try {
      text = readFileSync(this.#pathOf(podUid), "utf8");
    } catch {
      return undefined;
    }
    const { uidMappings, gidMappings } = JSON.parse(text) as Record<string, Mapping[] | undefined>;
    const [mapping, ...more] = uidMappings ?? [];
    if (!mapping || more.length > 0 || mapping.containerId !== 0)
      throw new Error("invalid user namespace configuration: UID 0 must be mapped, in one mapping");
    if (JSON.stringify(gidMappings) !== JSON.stringify(uidMappings))
      throw new Error("invalid user namespace configuration: GID and UID mapping should be identical");
    return { hostId: mapping.hostId, length: mapping.length };
  }

  #pathOf(podUid: string): string {
    return join(this.#podsDir, podUid, fileName);
  }
}

export const hostSubordinateIds = (): IdRange | undefined =>
  subordinateIds(textOf("/etc/subuid"), textOf("/etc/subgid"));

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

/**
 * The range that /etc/subuid and /etc/subgid give to the user `kubelet`; undefined where there is none. As upstream
 * has it from `getsubids`: one range, and the same for both.
 */
export function subordinateIds(subuid: string, subgid: string): IdRange | undefined {
  const [uids, gids] = [subuid, subgid].map((text) =>
    text.split("\n").filter((line) => line.startsWith("kubelet:")),
  );
  if (uids!.length === 0 && gids!.length === 0) return undefined;
  if (uids!.join() !== gids!.join()) throw new Error('mismatched subuids and subgids for user "kubelet"');
  const [, hostId, length] = /^kubelet:(\d+):(\d+)$/.exec(uids![0]!) ?? [];
  if (hostId === undefined || uids!.length > 1)
    throw new Error('user "kubelet" must have one range of subordinate ids');
  return { hostId: Number(hostId), length: Number(length) };
}
