import type { CatalogView } from '../../catalog/index.ts';

/** The most names that one address is given. */
const maxNames = 3;

/** Who has an address, by network and address: services with their instances, gateways. For people. Pure. */
export class AddressBook {
  readonly #names = new Map<string, string[]>();
  readonly #gateways = new Set<string>();

  constructor(view: CatalogView) {
    for (const [network, gateways] of view.gateways) {
      for (const { instance, cluster, addresses } of gateways) {
        for (const address of addresses) {
          this.#gateways.add(`${network} ${address}`);
          this.#add(network, address, `gateway ${cluster}/${instance}`);
        }
      }
    }
    for (const { key, endpoints } of view.services.values()) {
      for (const { network, address, instance } of endpoints) this.#add(network, address, `${key} (${instance})`);
    }
  }

  /** Empty: nobody that the mesh knows of. */
  nameOf(network: string, address: string): string {
    const names = this.#names.get(`${network} ${address}`) ?? [];
    const more = names.length > maxNames ? ` and ${names.length - maxNames} more` : '';
    return names.slice(0, maxNames).join(', ') + more;
  }

  isGateway(network: string, address: string): boolean {
    return this.#gateways.has(`${network} ${address}`);
  }

  #add(network: string, address: string, name: string): void {
    const key = `${network} ${address}`;
    const names = this.#names.get(key);
    if (names === undefined) this.#names.set(key, [name]);
    else if (!names.includes(name)) names.push(name);
  }
}
