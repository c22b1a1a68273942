import {
  fieldForbidden,
  fieldInvalid,
  fieldNotSupported,
  fieldRequired,
  fieldTooLong,
  isDnsLabel,
  isDnsSubdomain,
  type LabelSelector,
} from "../../../../../machinery/index.ts";
import type { corev1 } from "../../../../index.ts";
import { validateAnnotations, validateLabelSelector } from "../../../../validation/labels.ts";
import { addInvalid, type FieldErrors } from "../../../../validation/values.ts";
import { validateFileMode, validateVolumeFilePath } from "./paths.ts";
import { validateDownwardFile, validateKeyToPath } from "./volume-files.ts";

/** Claims the paths of a projected volume's files; a second claim is an error, shown as `shown`. */
type ClaimPath = (file: string | undefined, shown: string | undefined) => void;

export function validateProjected(
  errors: FieldErrors,
  { defaultMode, sources }: corev1.ProjectedVolumeSource,
  path: string,
): void {
  validateFileMode(errors, defaultMode, `${path}.defaultMode`);
  const files = new Set<string>();
  const claim: ClaimPath = (file, shown) => {
    if (!file) return;
    if (files.has(file)) errors.push(fieldInvalid(path, shown ?? "", "conflicting duplicate paths"));
    files.add(file);
  };
  sources?.forEach((source, i) => {
    validateSource(errors, source, claim, { list: path, item: `${path}.sources[${i}]` });
  });
}

function validateSource(
  errors: FieldErrors,
  source: corev1.VolumeProjection,
  claim: ClaimPath,
  paths: { list: string; item: string },
): void {
  let count = 0;
  for (const kind of ["secret", "configMap"] as const) {
    const keyed = source[kind];
    if (!keyed) continue;
    count++;
    const at = `${paths.item}.${kind}`;
    if (!keyed.name) errors.push(fieldRequired(`${at}.name`));
    keyed.items?.forEach((item, i) => {
      validateKeyToPath(errors, item, `${at}.items[${i}]`);
      claim(item.path, keyed.name);
    });
  }
  if (source.downwardAPI) {
    count++;
    for (const file of source.downwardAPI.items ?? []) {
      validateDownwardFile(errors, file, `${paths.item}.downwardAPI`);
      claim(file.path, file.path);
    }
  }
  if (source.serviceAccountToken) {
    count++;
    validateToken(errors, source.serviceAccountToken, paths);
  }
  if (source.clusterTrustBundle) {
    count++;
    validateTrustBundle(errors, source.clusterTrustBundle, `${paths.item}.clusterTrustBundle`);
    claim(source.clusterTrustBundle.path, source.clusterTrustBundle.path);
  }
  if (source.podCertificate) {
    count++;
    validatePodCertificate(errors, source.podCertificate, claim, `${paths.item}.podCertificate`);
  }
  if (count > 1)
    errors.push(fieldForbidden(paths.item, "may not specify more than 1 volume type per source"));
}

const tokenLifetimeMinS = 600;
const tokenLifetimeMaxS = 2 ** 32;

function validateToken(
  errors: FieldErrors,
  { expirationSeconds = 0, path: file }: corev1.ServiceAccountTokenProjection,
  paths: { list: string; item: string },
): void {
  const at = `${paths.item}.serviceAccountToken.expirationSeconds`;
  if (expirationSeconds < tokenLifetimeMinS)
    errors.push(fieldInvalid(at, expirationSeconds, "may not specify a duration less than 10 minutes"));
  if (expirationSeconds > tokenLifetimeMaxS)
    errors.push(fieldInvalid(at, expirationSeconds, "may not specify a duration larger than 2^32 seconds"));
  // The volume's path, not the source's: as upstream.
  if (!file) errors.push(fieldRequired(`${paths.list}.path`));
  else validateVolumeFilePath(errors, file, `${paths.list}.path`);
}

function validateTrustBundle(
  errors: FieldErrors,
  bundle: corev1.ClusterTrustBundleProjection,
  path: string,
): void {
  const { name, signerName, labelSelector } = bundle;
  if (name !== undefined && signerName !== undefined) {
    errors.push(fieldInvalid(path, bundle, "only one of name and signerName may be used"));
  } else if (name !== undefined) {
    if (!name) errors.push(fieldRequired(`${path}.name`, "must be a valid object name"));
    for (const message of isDnsSubdomain(name.slice(name.lastIndexOf(":") + 1)))
      errors.push(fieldInvalid(`${path}.name`, name, `not a valid clustertrustbundlename: ${message}`));
    if (labelSelector !== undefined)
      errors.push(
        fieldInvalid(
          `${path}.labelSelector`,
          labelSelector,
          "labelSelector must be unset if name is specified",
        ),
      );
  } else if (signerName !== undefined) {
    if (!signerName) errors.push(fieldRequired(`${path}.signerName`, "must be a valid signer name"));
    validateSignerName(errors, signerName, `${path}.signerName`);
    validateLabelSelector(errors, labelSelector as LabelSelector | undefined, `${path}.labelSelector`);
  } else {
    errors.push(fieldRequired(path, "either name or signerName must be specified"));
  }
  if (!bundle.path) errors.push(fieldRequired(`${path}.path`));
  validateVolumeFilePath(errors, bundle.path, `${path}.path`);
}

const signerDomainLengthMax = 253;

/** `example.com/signer`. */
function validateSignerName(errors: FieldErrors, name: string, path: string): void {
  if (!name) {
    errors.push(fieldRequired(path));
    return;
  }
  const parts = name.split("/");
  if (parts.length !== 2) {
    errors.push(
      fieldInvalid(
        path,
        name,
        "must be a fully qualified domain and path of the form 'example.com/signer-name'",
      ),
    );
    return;
  }
  const [domain, signer] = parts as [string, string];
  if (domain.length > signerDomainLengthMax) errors.push(fieldTooLong(path, signerDomainLengthMax));
  const labels = domain.split(".");
  addLabelErrors(errors, domain, labels, isDnsLabel, path);
  if (labels.length < 2)
    errors.push(
      fieldInvalid(path, domain, "should be a domain with at least two segments separated by dots"),
    );
  addLabelErrors(errors, signer, signer.split("."), isDnsSubdomain, path);
}

function addLabelErrors(
  errors: FieldErrors,
  value: string,
  labels: readonly string[],
  check: (label: string) => string[],
  path: string,
): void {
  for (const label of labels) {
    const messages = check(label).map((message) => `validating label ${JSON.stringify(label)}: ${message}`);
    if (messages.length === 0) continue;
    addInvalid(errors, value, messages, path);
    return;
  }
}

const keyTypes = ["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"];
const certificateLifetimeMinS = 3600;
const certificateLifetimeMaxS = 91 * 86_400;
const kubernetesCertificateLifetimeMaxS = 86_400;

function validatePodCertificate(
  errors: FieldErrors,
  certificate: corev1.PodCertificateProjection,
  claim: ClaimPath,
  path: string,
): void {
  const { signerName = "", keyType = "", maxExpirationSeconds } = certificate;
  validateSignerName(errors, signerName, `${path}.signerName`);
  validateAnnotations(errors, certificate.userAnnotations, `${path}.userAnnotations`);
  if (!keyTypes.includes(keyType)) errors.push(fieldNotSupported(`${path}.keyType`, keyType, keyTypes));
  if (maxExpirationSeconds !== undefined) {
    const at = `${path}.maxExpirationSeconds`;
    const maxS = /(^|\.)kubernetes\.io\//.test(signerName)
      ? kubernetesCertificateLifetimeMaxS
      : certificateLifetimeMaxS;
    if (maxExpirationSeconds < certificateLifetimeMinS)
      errors.push(
        fieldInvalid(
          at,
          maxExpirationSeconds,
          `if provided, maxExpirationSeconds must be >= ${certificateLifetimeMinS}`,
        ),
      );
    if (maxExpirationSeconds > maxS)
      errors.push(
        fieldInvalid(at, maxExpirationSeconds, `if provided, maxExpirationSeconds must be <= ${maxS}`),
      );
  }
  let count = 0;
  for (const field of ["credentialBundlePath", "keyPath", "certificateChainPath"] as const) {
    const file = certificate[field];
    if (!file) continue;
    count++;
    validateVolumeFilePath(errors, file, `${path}.${field}`);
    claim(file, file);
  }
  if (count === 0)
    errors.push(
      fieldRequired(path, "specify at least one of credentialBundlePath, keyPath, and certificateChainPath"),
    );
}
