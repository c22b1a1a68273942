/** The bounds of the API server, each with its why. Past one, a client gets the Kubernetes Status that says so. */

/** As kube-apiserver's `MaxRequestBodyBytes`: twice etcd's request limit, as JSON is larger than what is stored. */
export const requestBodyBytesMax = 3 * 1024 * 1024;
/** All headers together; a bearer token and kubectl's own need under 4 KiB. */
export const headerBytesMax = 64 * 1024;
/** Longest path and query; exec of a long command line is the longest honest one. */
export const urlBytesMax = 32 * 1024;
/** Requests that read, at once; as kube-apiserver's `--max-requests-inflight`. */
export const readsInFlightMax = 400;
/** Requests that write, at once; as kube-apiserver's `--max-mutating-requests-inflight`. */
export const writesInFlightMax = 200;
/** Requests whose body is still coming, at once: so many clients may be slow before one is told to come again. */
export const bodiesInFlightMax = 2_000;
/** What of those bodies has come, of all together. */
export const bodyBytesInFlightMax = 256 * 1024 * 1024;
/** Writes that one turn of the event loop begins; a third of a millisecond each, so that timers and reads are not kept waiting. */
export const writesPerTurnMax = 8;
/** What a client is told to wait after a 429. */
export const retryAfterS = 1;
/** One request that is neither a watch nor a stream. As kube-apiserver's `--request-timeout`. */
export const requestMsMax = 60_000;
/** A watch ends after this at the latest, and a client opens it anew: spreads load and frees what was forgotten. */
export const watchMsMax = 60 * 60_000;
/** A watch without `timeoutSeconds` lives this long to twice this long. As kube-apiserver's `--min-request-timeout`. */
export const watchMsMin = 30 * 60_000;
/** How often a watch that allows bookmarks gets one. As kube-apiserver's watch cache. */
export const bookmarkMs = 60_000;
/** Events a slow watcher may lag behind; frames are shared, so each costs a reference. */
export const watchBacklogEventsMax = 20_000;
/** The size of those events: a revision that only a slow watcher still holds is memory. */
export const watchBacklogBytesMax = 32 * 1024 * 1024;
/** Bytes handed to one watcher's socket that it has not taken; past it events wait in the backlog. */
export const watchSocketBytesMax = 1024 * 1024;
/** How long a watcher may take nothing at all while events wait. */
export const watchStallMsMax = 60_000;
/** Watches open at once, of all users. */
export const watchesMax = 20_000;
/** Connections at once; a thousand watchers with one each fit many times. */
export const connectionsMax = 20_000;
/** Streams of one HTTP/2 connection; as Go's default. */
export const streamsPerConnectionMax = 250;
/** Conflicts of one unconditional write before the client gets a 409 after all. */
export const updateRetriesMax = 100;
/** Names tried for one `generateName`. As apiserver's create with the RetryGenerateName feature. */
export const generateNameTriesMax = 8;
/** Deletions under way of one deletecollection. */
export const deleteCollectionWorkers = 64;
/** Objects that a page with a selector looks at in one step: so that a page of one does not take a step an object. */
export const listPageSize = 500;
/** Bodies above this are compressed for clients that ask. As apiserver's `defaultGzipThresholdBytes`. */
export const gzipBytesMin = 128 * 1024;
/** Pieces in which a long list is written. */
export const writeChunkBytes = 256 * 1024;
/** How long a client may take nothing of a list while it is being sent. */
export const answerStallMsMax = 60_000;
/** Warnings of one answer; as `k8s.io/apiserver/pkg/endpoints/filters` truncates them by total length. */
export const warningBytesMax = 4 * 1024;
/** `metadata.managedFields[].manager` and the option that sets it. As meta/v1 validation. */
export const fieldManagerLengthMax = 128;
/** Operations of one JSON patch. As apiserver's `maxJSONPatchOperations`. */
export const jsonPatchOperationsMax = 10_000;
