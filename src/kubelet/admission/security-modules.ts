import { existsSync, readFileSync } from "node:fs";
import type { corev1 } from "../../api/index.ts";
import type { Refusal } from "./admit.ts";

/** Which of the kernel's security modules this machine runs with. */
export interface SecurityModules {
  appArmor: boolean;
  seLinux: boolean;
}

export function readSecurityModules(): SecurityModules {
  return { appArmor: isAppArmorOn(), seLinux: existsSync("/sys/fs/selinux/enforce") };
}

function isAppArmorOn(): boolean {
  try {
    return readFileSync("/sys/module/apparmor/parameters/enabled", "utf8").startsWith("Y");
  } catch {
    return false;
  }
}

const annotationPrefix = "container.apparmor.security.beta.kubernetes.io/";

/** A pod that asks to be confined is not run unconfined. As `pkg/security/apparmor`. */
export function admitAppArmor(pod: corev1.Pod, { appArmor }: SecurityModules): Refusal | undefined {
  if (appArmor || !asksForProfile(pod)) return undefined;
  return { reason: "AppArmor", message: "Cannot enforce AppArmor: AppArmor is not enabled on the host" };
}

function asksForProfile({ metadata, spec }: corev1.Pod): boolean {
  const contexts = [
    spec!.securityContext,
    ...[...spec!.containers, ...(spec!.initContainers ?? []), ...(spec!.ephemeralContainers ?? [])].map(
      ({ securityContext }) => securityContext,
    ),
  ];
  const isConfined = (profile: corev1.AppArmorProfile | undefined) =>
    profile !== undefined && profile.type !== "Unconfined";
  if (contexts.some((context) => isConfined(context?.appArmorProfile))) return true;
  return Object.entries(metadata.annotations ?? {}).some(
    ([key, value]) => key.startsWith(annotationPrefix) && value !== "unconfined",
  );
}

/** SELinux labels a pod asks for; upstream's engines pass over them where the kernel has no SELinux. */
export function asksForSeLinux({ spec }: corev1.Pod): boolean {
  const all = [spec!.securityContext, ...spec!.containers.map(({ securityContext }) => securityContext)];
  return all.some((context) => Object.values(context?.seLinuxOptions ?? {}).some(Boolean));
}
