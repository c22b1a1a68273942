import { ageColumn, nameColumn } from "../../columns.ts";
import type { corev1 } from "../../index.ts";
import type { Kind } from "../../kind.ts";

const enforceMountableSecrets = "kubernetes.io/enforce-mountable-secrets";

/** Counterpart upstream: `pkg/registry/core/serviceaccount`. */
export const serviceAccount: Kind<corev1.ServiceAccount> = {
  group: "",
  version: "v1",
  kind: "ServiceAccount",
  resource: "serviceaccounts",
  singular: "serviceaccount",
  shortNames: ["sa"],
  categories: [],
  scope: "Namespaced",
  schema: "core/v1.ServiceAccount",
  hasStatus: false,
  subresources: ["token"],
  columns: [nameColumn, ageColumn] as Kind<corev1.ServiceAccount>["columns"],
  strategy: {
    tracksGeneration: false,
    prepareForCreate: keepSecretNames,
    prepareForUpdate: keepSecretNames,
    validate: () => [],
    warnings(object, old) {
      const isNew =
        object.metadata.annotations?.[enforceMountableSecrets] !== undefined &&
        old?.metadata.annotations?.[enforceMountableSecrets] === undefined;
      return isNew
        ? [
            `metadata.annotations[${enforceMountableSecrets}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
          ]
        : [];
    },
  },
};

/** A reference to a secret is its name; the rest of an ObjectReference would only mislead. */
function keepSecretNames(object: corev1.ServiceAccount): void {
  object.secrets &&= object.secrets.map(({ name }) => ({ name }));
}
