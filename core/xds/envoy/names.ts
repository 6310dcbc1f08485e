/** What bootstrap, resources and the agent's own server agree on. */

/** xDS cluster of the control plane, in the bootstrap. */
export const controlClusterName = 'isthmus-control';
/** xDS cluster of the agent's socket, in the bootstrap. */
export const agentClusterName = 'isthmus-agent';
/** Secret of this node's own chain and key; from the agent's socket alone. */
export const svidSecretName = 'svid';
/** Secret of what the control plane's certificate must chain to; from the agent's socket. */
export const controlBundleSecretName = 'control-bundle';
