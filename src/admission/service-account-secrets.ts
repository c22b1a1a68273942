import { containersOf, type corev1 } from "../api/index.ts";

const enforceAnnotation = "kubernetes.io/enforce-mountable-secrets";

/**
 * Why a pod may not use a secret that its account does not list, where the account's (deprecated) annotation asks for that check;
 * undefined when there is nothing to say.
 */
export function forbiddenSecret(account: corev1.ServiceAccount, { spec }: corev1.Pod): string | undefined {
  if (account.metadata.annotations?.[enforceAnnotation] !== "true") return undefined;
  const mountable = new Set(account.secrets?.map(({ name }) => name));
  const pullable = new Set(account.imagePullSecrets?.map(({ name }) => name));
  const notReferenced = `is not allowed because service account ${account.metadata.name} does not reference that`;
  for (const { secret } of spec.volumes ?? []) {
    if (secret && !mountable.has(secret.secretName)) {
      return `volume with secret.secretName="${secret.secretName}" ${notReferenced} secret`;
    }
  }
  for (const { name, env = [], envFrom = [] } of containersOf(spec)) {
    for (const variable of env) {
      const secret = variable.valueFrom?.secretKeyRef?.name;
      if (secret !== undefined && !mountable.has(secret)) {
        return `container ${name} with envVar ${variable.name} referencing secret.secretName="${secret}" ${notReferenced} secret`;
      }
    }
    for (const { secretRef } of envFrom) {
      if (secretRef && !mountable.has(secretRef.name)) {
        return `container ${name} with envFrom referencing secret.secretName="${secretRef.name}" ${notReferenced} secret`;
      }
    }
  }
  const at = (spec.imagePullSecrets ?? []).findIndex(({ name }) => !pullable.has(name));
  if (at < 0) return undefined;
  return `imagePullSecrets[${at}].name="${spec.imagePullSecrets![at]!.name}" ${notReferenced} imagePullSecret`;
}
