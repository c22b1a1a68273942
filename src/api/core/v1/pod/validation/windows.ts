import { fieldForbidden, fieldInvalid, isDnsSubdomain } from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { addInvalid, type FieldErrors } from "../../../../validation/values.ts";
import { eachContainer } from "./context.ts";

/*
 * Fields for Windows: checked like any other, so that a manifest is judged alike everywhere, though no node here can
 * run such a pod.
 */

const credentialSpecKiBMax = 64;
const domainLengthMax = 256;
const userLengthMax = 104;
const controlCharacter = /[\u0000-\u001f\u007f]/;
const netBiosDomain = /^[^\\/:*?"<>|.][^\\/:*?"<>|]{0,14}$/;
const dnsPart = "[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?";
const dnsDomain = new RegExp(`^${dnsPart}(?:\\.${dnsPart})*$`);

export function validateWindowsOptions(
  errors: FieldErrors,
  options: corev1.WindowsSecurityContextOptions | undefined,
  path: string,
): void {
  if (!options) return;
  const { gmsaCredentialSpecName, gmsaCredentialSpec, runAsUserName } = options;
  if (gmsaCredentialSpecName !== undefined)
    addInvalid(
      errors,
      gmsaCredentialSpecName,
      isDnsSubdomain(gmsaCredentialSpecName),
      `${path}.gmsaCredentialSpecName`,
    );
  if (gmsaCredentialSpec !== undefined) {
    const at = `${path}.gmsaCredentialSpec`;
    if (gmsaCredentialSpec === "")
      errors.push(fieldInvalid(at, "", "gmsaCredentialSpec cannot be an empty string"));
    else if (gmsaCredentialSpec.length > credentialSpecKiBMax * 1024)
      errors.push(
        fieldInvalid(
          at,
          gmsaCredentialSpec,
          `gmsaCredentialSpec size must be under ${credentialSpecKiBMax} KiB`,
        ),
      );
  }
  if (runAsUserName !== undefined)
    addInvalid(errors, runAsUserName, userNameErrors(runAsUserName), `${path}.runAsUserName`);
}

/** `DOMAIN\user` or `user`. */
function userNameErrors(name: string): string[] {
  if (name === "") return ["runAsUserName cannot be an empty string"];
  if (controlCharacter.test(name)) return ["runAsUserName cannot contain control characters"];
  const parts = name.split("\\");
  if (parts.length > 2) return ["runAsUserName cannot contain more than one backslash"];
  const user = parts.at(-1)!;
  const domain = parts.length === 2 ? parts[0]! : undefined;
  const messages: string[] = [];
  if (domain !== undefined) {
    if (domain.length >= domainLengthMax)
      messages.push(`runAsUserName's Domain length must be under ${domainLengthMax} characters`);
    if (!netBiosDomain.test(domain) && !dnsDomain.test(domain))
      messages.push("runAsUserName's Domain doesn't match the NetBios nor the DNS format");
  }
  if (user === "") messages.push("runAsUserName's User cannot be empty");
  else if (user.length > userLengthMax)
    messages.push(`runAsUserName's User length must not be longer than ${userLengthMax} characters`);
  if (/^[. ]+$/.test(user)) messages.push("runAsUserName's User cannot contain only periods or spaces");
  if (/["/\\:;|=,+*?<>@[\]]/.test(user))
    messages.push(`runAsUserName's User cannot contain the following characters: "/\\:;|=,+*?<>@[]`);
  return messages;
}

/** Windows host processes: all of a pod's containers or none, and in the host's network. */
export function validateHostProcess(errors: FieldErrors, spec: corev1.PodSpec, path: string): void {
  const podValue = spec.securityContext?.windowsOptions?.hostProcess;
  let count = 0;
  let hostProcessCount = 0;
  eachContainer(spec, path, ({ securityContext }, at) => {
    count++;
    const own = securityContext?.windowsOptions?.hostProcess;
    if (podValue !== undefined && own !== undefined && own !== podValue)
      errors.push(
        fieldInvalid(
          `${at}.securityContext.windowsOptions.hostProcess`,
          own,
          `pod hostProcess value must be identical if both are specified, was ${podValue}`,
        ),
      );
    if (own ?? podValue) hostProcessCount++;
  });
  if (hostProcessCount === 0) return;
  if (hostProcessCount !== count)
    errors.push(
      fieldInvalid(
        path,
        "",
        "If pod contains any hostProcess containers then all containers must be HostProcess containers",
      ),
    );
  if (!spec.hostNetwork)
    errors.push(
      fieldInvalid(
        `${path}.hostNetwork`,
        false,
        "hostNetwork must be true if pod contains any hostProcess containers",
      ),
    );
}

export function validateLinuxPod(errors: FieldErrors, spec: corev1.PodSpec, path: string): void {
  const detail = "windows options cannot be set for a linux pod";
  if (spec.securityContext?.windowsOptions)
    errors.push(fieldForbidden(`${path}.securityContext.windowsOptions`, detail));
  eachContainer(spec, path, ({ securityContext }, at) => {
    if (securityContext?.windowsOptions)
      errors.push(fieldForbidden(`${at}.securityContext.windowsOptions`, detail));
  });
}

const podFieldsOfLinux = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "fsGroup",
  "fsGroupChangePolicy",
  "sysctls",
  "runAsUser",
  "runAsGroup",
  "supplementalGroups",
  "supplementalGroupsPolicy",
  "seLinuxChangePolicy",
] as const;
const specFieldsOfLinux = ["hostUsers", "hostPID", "hostIPC", "shareProcessNamespace"] as const;
const containerFieldsOfLinux = [
  "appArmorProfile",
  "seLinuxOptions",
  "seccompProfile",
  "capabilities",
  "readOnlyRootFilesystem",
  "privileged",
  "allowPrivilegeEscalation",
  "procMount",
  "runAsUser",
  "runAsGroup",
] as const;

export function validateWindowsPod(errors: FieldErrors, spec: corev1.PodSpec, path: string): void {
  const detail = "cannot be set for a windows pod";
  for (const field of podFieldsOfLinux) {
    if (spec.securityContext?.[field] !== undefined)
      errors.push(fieldForbidden(`${path}.securityContext.${field}`, detail));
  }
  for (const field of specFieldsOfLinux) {
    if (spec[field] !== undefined) errors.push(fieldForbidden(`${path}.${field}`, detail));
  }
  eachContainer(spec, path, ({ securityContext }, at) => {
    for (const field of containerFieldsOfLinux) {
      if (securityContext?.[field] !== undefined)
        errors.push(fieldForbidden(`${at}.securityContext.${field}`, detail));
    }
  });
}
