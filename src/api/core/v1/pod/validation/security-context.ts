import {
  fieldDuplicate,
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  isUserId,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { addInvalid, type FieldErrors } from "../../../../validation/values.ts";
import { eachContainer, type SpecContext } from "./context.ts";
import { validateDescendingPath } from "./paths.ts";
import { validateWindowsOptions } from "./windows.ts";

/** Only an explicit `false` gives the pod a user namespace of its own. */
const usesHostUsers = (spec: corev1.PodSpec) => spec.hostUsers !== false;

/** A container's. */
export function validateSecurityContext(
  errors: FieldErrors,
  context: corev1.SecurityContext | undefined,
  { spec }: SpecContext,
  path: string,
): void {
  if (!context) return;
  validateId(errors, context.runAsUser, `${path}.runAsUser`);
  validateId(errors, context.runAsGroup, `${path}.runAsGroup`);
  validateProcMount(errors, context.procMount, spec, `${path}.procMount`);
  validateSeccompProfile(errors, context.seccompProfile, `${path}.seccompProfile`);
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged)
      errors.push(
        fieldInvalid(
          path,
          context,
          "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        ),
      );
    if (context.capabilities?.add?.includes("CAP_SYS_ADMIN"))
      errors.push(
        fieldInvalid(
          path,
          context,
          "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
        ),
      );
  }
  validateWindowsOptions(errors, context.windowsOptions, `${path}.windowsOptions`);
  validateAppArmorProfile(errors, context.appArmorProfile, `${path}.appArmorProfile`);
}

/** The pod's. */
export function validatePodSecurityContext(errors: FieldErrors, spec: corev1.PodSpec, path: string): void {
  const context = spec.securityContext;
  if (!context) return;
  validateId(errors, context.fsGroup, `${path}.fsGroup`);
  validateId(errors, context.runAsUser, `${path}.runAsUser`);
  validateId(errors, context.runAsGroup, `${path}.runAsGroup`);
  context.supplementalGroups?.forEach((group, i) => {
    validateId(errors, group, `${path}.supplementalGroups[${i}]`);
  });
  // In the internal form that upstream checks, this field lies in the security context.
  if (spec.shareProcessNamespace && spec.hostPID)
    errors.push(
      fieldInvalid(
        `${path}.shareProcessNamespace`,
        true,
        "ShareProcessNamespace and HostPID cannot both be enabled",
      ),
    );
  validateSysctls(errors, spec, context.sysctls, `${path}.sysctls`);
  validateOneOf(
    errors,
    context.fsGroupChangePolicy,
    ["Always", "OnRootMismatch"],
    `${path}.fsGroupChangePolicy`,
  );
  validateSeccompProfile(errors, context.seccompProfile, `${path}.seccompProfile`);
  validateWindowsOptions(errors, context.windowsOptions, `${path}.windowsOptions`);
  validateAppArmorProfile(errors, context.appArmorProfile, `${path}.appArmorProfile`);
  validateOneOf(
    errors,
    context.supplementalGroupsPolicy,
    ["Merge", "Strict"],
    `${path}.supplementalGroupsPolicy`,
  );
  validateOneOf(
    errors,
    context.seLinuxChangePolicy,
    ["MountOption", "Recursive"],
    `${path}.seLinuxChangePolicy`,
  );
}

function validateId(errors: FieldErrors, id: number | undefined, path: string): void {
  if (id !== undefined) addInvalid(errors, id, isUserId(id), path);
}

function validateOneOf(
  errors: FieldErrors,
  value: string | undefined,
  supported: readonly string[],
  path: string,
): void {
  if (value !== undefined && !supported.includes(value))
    errors.push(fieldNotSupported(path, value, supported));
}

function validateProcMount(
  errors: FieldErrors,
  procMount: string | undefined,
  spec: corev1.PodSpec,
  path: string,
): void {
  validateOneOf(errors, procMount, ["Default", "Unmasked"], path);
  if (procMount === "Unmasked" && usesHostUsers(spec))
    errors.push(fieldInvalid(path, procMount, "`hostUsers` must be false to use `Unmasked`"));
}

const profileTypes = ["Localhost", "RuntimeDefault", "Unconfined"];

function validateSeccompProfile(
  errors: FieldErrors,
  profile: corev1.SeccompProfile | undefined,
  path: string,
): void {
  if (!profile) return;
  const { type, localhostProfile } = profile;
  if (!type) errors.push(fieldRequired(`${path}.type`, "type is required when seccompProfile is set"));
  else validateOneOf(errors, type, profileTypes, `${path}.type`);
  if (type !== "Localhost") {
    if (localhostProfile !== undefined)
      errors.push(
        fieldInvalid(`${path}.localhostProfile`, profile, "can only be set when seccomp type is Localhost"),
      );
  } else if (localhostProfile === undefined) {
    errors.push(fieldRequired(`${path}.localhostProfile`, "must be set when seccomp type is Localhost"));
  } else {
    validateDescendingPath(errors, localhostProfile, `${path}.localhostProfile`);
  }
}

const localhostProfileLengthMax = 4095;

export function validateAppArmorProfile(
  errors: FieldErrors,
  profile: corev1.AppArmorProfile | undefined,
  path: string,
): void {
  if (!profile) return;
  const { type, localhostProfile } = profile;
  const at = `${path}.localhostProfile`;
  if (!type) {
    errors.push(fieldRequired(`${path}.type`, "type is required when appArmorProfile is set"));
  } else if (!profileTypes.includes(type)) {
    errors.push(fieldNotSupported(`${path}.type`, type, profileTypes));
  } else if (type !== "Localhost") {
    if (localhostProfile !== undefined)
      errors.push(fieldInvalid(at, localhostProfile, "can only be set when AppArmor type is Localhost"));
  } else if (localhostProfile === undefined) {
    errors.push(fieldRequired(at, "must be set when AppArmor type is Localhost"));
  } else {
    if (localhostProfile.trim() !== localhostProfile)
      errors.push(fieldInvalid(at, localhostProfile, "must not be padded with whitespace"));
    else if (localhostProfile === "")
      errors.push(fieldRequired(at, "must be set when AppArmor type is Localhost"));
    if (localhostProfile.length > localhostProfileLengthMax)
      errors.push(fieldTooLong(at, localhostProfileLengthMax));
  }
}

const sysctlPattern = "^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[\\./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$";
const sysctlMatcher = new RegExp(sysctlPattern);
const sysctlLengthMax = 253;

const ipcSysctls = new Set(
  "sem shmall shmmax shmmni shm_rmid_forced shm msgmax msgmnb msgmni msg"
    .split(" ")
    .map((name) => `kernel.${name}`),
);

/** With `.` between its parts; a name whose first separator is `/` has the two the other way round. */
export function normalizedSysctl(name: string): string {
  const first = name.search(/[./]/);
  if (first < 0 || name[first] === ".") return name;
  return name.replace(/[./]/g, (separator) => (separator === "." ? "/" : "."));
}

/** The namespace a sysctl belongs to; undefined for one that is the whole machine's. */
export function sysctlNamespace(name: string): "ipc" | "net" | undefined {
  const dotted = normalizedSysctl(name);
  if (dotted.startsWith("net.")) return "net";
  return ipcSysctls.has(dotted) || dotted.startsWith("fs.mqueue.") ? "ipc" : undefined;
}

function validateSysctls(
  errors: FieldErrors,
  spec: corev1.PodSpec,
  sysctls: readonly corev1.Sysctl[] | undefined,
  path: string,
): void {
  const names = new Set<string>();
  sysctls?.forEach(({ name = "" }, i) => {
    const at = `${path}[${i}].name`;
    if (!name) errors.push(fieldRequired(at));
    else if (name.length > sysctlLengthMax || !sysctlMatcher.test(name))
      errors.push(
        fieldInvalid(
          at,
          name,
          `must have at most ${sysctlLengthMax} characters and match regex ${sysctlPattern}`,
        ),
      );
    else if (names.has(name)) errors.push(fieldDuplicate(at, name));
    names.add(name);
    const namespace = sysctlNamespace(name);
    if (spec.hostNetwork && namespace === "net")
      errors.push(fieldInvalid(at, name, "may not be specified when 'hostNetwork' is true"));
    else if (spec.hostIPC && namespace === "ipc")
      errors.push(fieldInvalid(at, name, "may not be specified when 'hostIPC' is true"));
  });
}

/** A user namespace of the pod's own doesn't go with the host's other namespaces. */
export function validateHostUsers(errors: FieldErrors, spec: corev1.PodSpec, path: string): void {
  if (usesHostUsers(spec)) return;
  const detail = "when `hostUsers` is false";
  if (spec.hostNetwork) errors.push(fieldForbidden(`${path}.hostNetwork`, detail));
  if (spec.hostPID) errors.push(fieldForbidden(`${path}.HostPID`, detail));
  if (spec.hostIPC) errors.push(fieldForbidden(`${path}.HostIPC`, detail));
  eachContainer(spec, path, ({ volumeDevices }, at) => {
    if (volumeDevices?.length) errors.push(fieldForbidden(`${at}.volumeDevices`, detail));
  });
}
