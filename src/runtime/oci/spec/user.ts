import { type ImageConfig, RuntimeError, type SecurityContext } from "../../contract.ts";

/** The image's accounts: texts of its /etc/passwd and /etc/group, empty where it has none. */
export interface Accounts {
  passwd: string;
  group: string;
}

export interface ResolvedUser {
  uid: number;
  gid: number;
  /** Sorted; the primary is one of them, as containerd has it, so that a file's group rights hold for it. */
  supplementalGroups: number[];
}

interface PasswdEntry {
  name: string;
  uid: number;
  gid: number;
}

/**
 * Who the container runs as: the security context's user, else the image's, else root. A user that is named in the
 * image's /etc/passwd brings its primary group and, under the policy `Merge`, its groups from /etc/group.
 */
export function resolveUser(
  security: Pick<
    SecurityContext,
    "runAsUser" | "runAsUsername" | "runAsGroup" | "supplementalGroups" | "supplementalGroupsPolicy"
  >,
  image: ImageConfig,
  accounts: Accounts,
): ResolvedUser {
  const wanted = wantedUser(security, image);
  const passwd = parsePasswd(accounts.passwd);
  const entry =
    passwd.find((e) => e.name === wanted.user) ?? passwd.find((e) => String(e.uid) === wanted.user);
  const uid = entry?.uid ?? toId(wanted.user);
  if (uid === undefined) {
    throw new RuntimeError("CreateContainerError", `no user "${wanted.user}" in the image's /etc/passwd`);
  }
  const groups = parseGroups(accounts.group);
  const gid = security.runAsGroup ?? groupId(wanted.group, groups) ?? entry?.gid ?? 0;
  const supplemental = new Set([gid, ...security.supplementalGroups]);
  if ((security.supplementalGroupsPolicy ?? "Merge") === "Merge" && entry) {
    for (const group of groups) if (group.members.includes(entry.name)) supplemental.add(group.gid);
  }
  return { uid, gid, supplementalGroups: [...supplemental].sort((a, b) => a - b) };
}

function wantedUser(
  security: Pick<SecurityContext, "runAsUser" | "runAsUsername">,
  image: ImageConfig,
): { user: string; group?: string } {
  if (security.runAsUser !== undefined) return { user: String(security.runAsUser) };
  if (security.runAsUsername) return { user: security.runAsUsername };
  const [user, group] = (image.User ?? "").split(":");
  return { user: user || "0", group };
}

function groupId(
  group: string | undefined,
  groups: readonly { name: string; gid: number }[],
): number | undefined {
  if (!group) return undefined;
  const gid = groups.find((g) => g.name === group)?.gid ?? toId(group);
  if (gid === undefined) {
    throw new RuntimeError("CreateContainerError", `no group "${group}" in the image's /etc/group`);
  }
  return gid;
}

function toId(text: string): number | undefined {
  if (!/^\d{1,10}$/.test(text)) return undefined;
  const id = Number(text);
  return id < 2 ** 32 ? id : undefined;
}

function parsePasswd(text: string): PasswdEntry[] {
  return text.split("\n").flatMap((line) => {
    const [name, , uid, gid] = line.split(":");
    const ids = [toId(uid ?? ""), toId(gid ?? "")];
    return name && ids[0] !== undefined && ids[1] !== undefined ? [{ name, uid: ids[0], gid: ids[1] }] : [];
  });
}

function parseGroups(text: string): { name: string; gid: number; members: string[] }[] {
  return text.split("\n").flatMap((line) => {
    const [name, , gid, members] = line.split(":");
    const id = toId(gid ?? "");
    return name && id !== undefined
      ? [{ name, gid: id, members: (members ?? "").split(",").map((member) => member.trim()) }]
      : [];
  });
}
