/** Who contributes resources: `mesh` what belongs to none, a service by its key, a Gateway object by this. Keys of services hold no space. */
export function gatewayOwner(name: string): string {
  return `gateway ${name}`;
}

export function isGatewayOwner(owner: string): boolean {
  return owner.startsWith('gateway ');
}
