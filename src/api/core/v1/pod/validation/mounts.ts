import {
  fieldForbidden,
  fieldInvalid,
  fieldNotFound,
  fieldNotSupported,
  fieldRequired,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import type { FieldErrors } from "../../../../validation/values.ts";
import type { AnyContainer, SpecContext } from "./context.ts";
import { hasBackstep, validateDescendingPath } from "./paths.ts";

export function validateVolumeMounts(
  errors: FieldErrors,
  container: AnyContainer,
  { volumes }: SpecContext,
  path: string,
): void {
  const { volumeMounts, volumeDevices } = container;
  if (!volumeMounts?.length) return;
  const taken = new Set<string>();
  volumeMounts.forEach((mount, i) => {
    const at = `${path}[${i}]`;
    const { name = "", mountPath = "" } = mount;
    if (!name) errors.push(fieldRequired(`${at}.name`));
    if (!volumes.has(name)) errors.push(fieldNotFound(`${at}.name`, name));
    if (!mountPath) errors.push(fieldRequired(`${at}.mountPath`));
    if (taken.has(mountPath)) errors.push(fieldInvalid(`${at}.mountPath`, mountPath, "must be unique"));
    taken.add(mountPath);
    if (volumeDevices?.some((device) => device.name === name))
      errors.push(fieldInvalid(`${at}.name`, name, "must not already exist in volumeDevices"));
    if (volumeDevices?.some((device) => device.devicePath === mountPath))
      errors.push(
        fieldInvalid(`${at}.mountPath`, mountPath, "must not already exist as a path in volumeDevices"),
      );
    // From here on upstream leaves the index out of the path.
    if (mount.subPath) validateDescendingPath(errors, mount.subPath, `${path}.subPath`);
    if (mount.subPathExpr) {
      if (mount.subPath)
        errors.push(
          fieldInvalid(
            `${at}.subPathExpr`,
            mount.subPathExpr,
            "subPathExpr and subPath are mutually exclusive",
          ),
        );
      validateDescendingPath(errors, mount.subPathExpr, `${path}.subPathExpr`);
    }
    validatePropagation(errors, mount, container, `${path}.mountPropagation`);
    validateRecursiveReadOnly(errors, mount, `${path}.recursiveReadOnly`);
  });
}

function validatePropagation(
  errors: FieldErrors,
  { mountPropagation }: corev1.VolumeMount,
  { securityContext }: AnyContainer,
  path: string,
): void {
  if (mountPropagation === undefined) return;
  const supported = ["Bidirectional", "HostToContainer", "None"];
  if (!supported.includes(mountPropagation))
    errors.push(fieldNotSupported(path, mountPropagation, supported));
  if (mountPropagation === "Bidirectional" && !securityContext?.privileged)
    errors.push(
      fieldForbidden(path, "Bidirectional mount propagation is available only to privileged containers"),
    );
}

function validateRecursiveReadOnly(errors: FieldErrors, mount: corev1.VolumeMount, path: string): void {
  const { recursiveReadOnly, readOnly, mountPropagation } = mount;
  if (recursiveReadOnly === undefined || recursiveReadOnly === "Disabled") return;
  if (recursiveReadOnly !== "Enabled" && recursiveReadOnly !== "IfPossible") {
    errors.push(fieldNotSupported(path, recursiveReadOnly, ["Disabled", "Enabled", "IfPossible"]));
    return;
  }
  if (!readOnly) errors.push(fieldForbidden(path, "may only be specified when readOnly is true"));
  if (mountPropagation !== undefined && mountPropagation !== "None")
    errors.push(fieldForbidden(path, "may only be specified when mountPropagation is None or not specified"));
}

export function validateVolumeDevices(
  errors: FieldErrors,
  { volumeMounts, volumeDevices }: AnyContainer,
  { volumes }: SpecContext,
  path: string,
): void {
  if (!volumeDevices?.length) return;
  const names = new Set<string>();
  const paths = new Set<string>();
  volumeDevices.forEach(({ name = "", devicePath = "" }, i) => {
    const at = `${path}[${i}]`;
    const volume = volumes.get(name);
    if (!name) errors.push(fieldRequired(`${at}.name`));
    if (names.has(name)) errors.push(fieldInvalid(`${at}.name`, name, "must be unique"));
    if (!volume) errors.push(fieldNotFound(`${at}.name`, name));
    else if (!volume.persistentVolumeClaim && !volume.ephemeral)
      errors.push(
        fieldInvalid(
          `${at}.name`,
          name,
          "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode",
        ),
      );
    if (!devicePath) errors.push(fieldRequired(`${at}.devicePath`));
    if (paths.has(devicePath)) errors.push(fieldInvalid(`${at}.devicePath`, devicePath, "must be unique"));
    if (hasBackstep(devicePath))
      errors.push(fieldInvalid(`${at}.devicePath`, devicePath, "can not contain backsteps ('..')"));
    else paths.add(devicePath);
    if (volumeMounts?.some((mount) => mount.name === name))
      errors.push(fieldInvalid(`${at}.name`, name, "must not already exist in volumeMounts"));
    if (volumeMounts?.some((mount) => mount.mountPath === devicePath))
      errors.push(
        fieldInvalid(`${at}.devicePath`, devicePath, "must not already exist as a path in volumeMounts"),
      );
    if (name) names.add(name);
  });
}
