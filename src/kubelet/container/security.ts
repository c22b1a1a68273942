import { join } from "node:path";
import type { corev1 } from "../../api/index.ts";
import type { Image, SeccompProfile, SecurityContext } from "../../runtime/index.ts";
import { formatPod } from "../status/container-statuses.ts";

/** The container's context over the pod's over the image's. As `pkg/securitycontext` and kuberuntime. */
export function securityContext(
  pod: corev1.Pod,
  container: corev1.Container,
  image: Pick<Image, "user">,
  options: {
    seccompRoot: string;
    seccompDefault: "RuntimeDefault" | "Unconfined";
    /** That the pod's volumes ask for. */
    volumeGroups?: readonly number[];
  },
): SecurityContext {
  const ofPod = pod.spec!.securityContext ?? {};
  const own = container.securityContext ?? {};
  const privileged = own.privileged === true;
  const runAsUser = own.runAsUser ?? ofPod.runAsUser;
  const runAsGroup = own.runAsGroup ?? ofPod.runAsGroup;
  const selinux = own.seLinuxOptions ?? ofPod.seLinuxOptions;
  const apparmor = own.appArmorProfile ?? ofPod.appArmorProfile;
  return {
    privileged,
    ...(runAsUser !== undefined
      ? { runAsUser }
      : image.user.uid !== undefined
        ? { runAsUser: image.user.uid }
        : image.user.name
          ? { runAsUsername: image.user.name }
          : {}),
    ...(runAsGroup !== undefined && { runAsGroup }),
    supplementalGroups: [
      ...(ofPod.fsGroup !== undefined ? [ofPod.fsGroup] : []),
      ...(ofPod.supplementalGroups ?? []),
      ...(options.volumeGroups ?? []),
    ],
    ...(ofPod.supplementalGroupsPolicy && {
      supplementalGroupsPolicy: ofPod.supplementalGroupsPolicy as "Merge" | "Strict",
    }),
    readOnlyRootfs: own.readOnlyRootFilesystem === true,
    // Only an explicit false takes it away.
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    capabilities: { add: own.capabilities?.add ?? [], drop: own.capabilities?.drop ?? [] },
    seccomp: privileged ? undefined : seccomp(own.seccompProfile ?? ofPod.seccompProfile, options),
    procMount: own.procMount === "Unmasked" ? "Unmasked" : "Default",
    ...(apparmor && { apparmorProfile: appArmorName(apparmor) }),
    ...(selinux && { selinux }),
  };
}

/** Closed by default: a pod that does not say gets the runtime's profile, unless the node's settings open it. */
function seccomp(
  profile: corev1.SeccompProfile | undefined,
  { seccompRoot, seccompDefault }: Parameters<typeof securityContext>[3],
): SeccompProfile {
  switch (profile?.type) {
    case "Unconfined":
      return { type: "Unconfined" };
    case "Localhost":
      if (!profile.localhostProfile)
        throw new Error("localhostProfile must be set if seccompProfile type is Localhost.");
      return { type: "Localhost", path: join(seccompRoot, profile.localhostProfile) };
    case "RuntimeDefault":
      return { type: "RuntimeDefault" };
    default:
      return { type: seccompDefault };
  }
}

function appArmorName({ type, localhostProfile }: corev1.AppArmorProfile): string {
  switch (type) {
    case "Localhost":
      return `localhost/${localhostProfile}`;
    case "Unconfined":
      return "unconfined";
    default:
      return "runtime/default";
  }
}

/** Throws when a container that must not run as root would. As kuberuntime's verifyRunAsNonRoot. */
export function verifyRunAsNonRoot(
  pod: corev1.Pod,
  container: corev1.Container,
  image: Pick<Image, "user">,
): void {
  const ofPod = pod.spec!.securityContext ?? {};
  const own = container.securityContext ?? {};
  if ((own.runAsNonRoot ?? ofPod.runAsNonRoot) !== true) return;
  const where = `(pod: "${formatPod(pod)}", container: ${container.name})`;
  const runAsUser = own.runAsUser ?? ofPod.runAsUser;
  if (runAsUser !== undefined) {
    if (runAsUser === 0) throw new Error(`container's runAsUser breaks non-root policy ${where}`);
    return;
  }
  if (image.user.uid === 0) throw new Error(`container has runAsNonRoot and image will run as root ${where}`);
  if (image.user.uid === undefined && image.user.name) {
    throw new Error(
      `container has runAsNonRoot and image has non-numeric user (${image.user.name}), cannot verify user is non-root ${where}`,
    );
  }
  if (image.user.uid === undefined)
    throw new Error(`container has runAsNonRoot and image will run as root ${where}`);
}
