import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MeshError } from '../../../core/errors.ts';
import { readIfThere } from '../../../core/identity/index.ts';
import { fingerprintOf, type Issuer, rootFault } from '../../../core/pki/index.ts';
import { issuerFromPem, loadRoots, makeRoot, type Root, saveRoot } from '../root.ts';

const main = 'root.pem';
const nameOf = (fingerprint: string) => `root-${fingerprint.slice(0, 16)}.pem`;

/**
 * The folder of the root while a second one is there: `root.pem` and `root-FINGERPRINT.pem`. Every step may be repeated after a crash in
 * the middle of it.
 */
export class RootFolder {
  readonly dir: string;
  readonly #trustDomain: string;

  constructor(dir: string, trustDomain: string) {
    this.dir = dir;
    this.#trustDomain = trustDomain;
  }

  /** MeshErrors as `loadRoots`. */
  load(): Promise<readonly Root[]> {
    return loadRoots(this.dir, this.#trustDomain);
  }

  /**
   * The root that is to follow: the one that lies there already, `given`, or a new one. Durable when it resolves. MeshError IDENTITY_INVALID for
   * a given one that cannot be a root, CONFLICT when another one waits there.
   */
  async next(from: string, now: number, given?: Issuer): Promise<Root> {
    const waiting = (await this.load()).filter((root) => fingerprintOf(root.certificate) !== from);
    const [there, ...more] = waiting;
    const wanted = given === undefined ? undefined : fingerprintOf(given.certificate);
    if (there !== undefined && more.length === 0 && (wanted === undefined || wanted === fingerprintOf(there.certificate))) return there;
    if (there !== undefined)
      throw new MeshError('CONFLICT', `${this.dir} holds root-*.pem of another rotation: move what is not wanted out of it`);
    if (given !== undefined) {
      const fault = rootFault(given.certificate) ?? (given.certificate.notAfter <= now ? 'it has ended' : undefined);
      if (fault !== undefined) throw new MeshError('IDENTITY_INVALID', `the new root cannot be one: ${fault}`);
    }
    const root = given === undefined ? makeRoot(this.#trustDomain, now) : { ...given, trustDomain: this.#trustDomain };
    await saveRoot(join(this.dir, nameOf(fingerprintOf(root.certificate))), root);
    return root;
  }

  /** The rotation is over: the one that stays is `root.pem`, the other one `retired-FINGERPRINT.pem`, which nothing reads. */
  async settle(stays: string, left: string): Promise<void> {
    const at = async (name: string) => {
      const text = await readIfThere(join(this.dir, name));
      return text === undefined ? undefined : fingerprintOf(issuerFromPem(text, join(this.dir, name)).certificate);
    };
    const retired = join(this.dir, `retired-${left.slice(0, 16)}.pem`);
    if ((await at(main)) === left) await rename(join(this.dir, main), retired);
    else if ((await at(nameOf(left))) === left) await rename(join(this.dir, nameOf(left)), retired);
    if ((await at(nameOf(stays))) === stays) {
      if ((await at(main)) === stays) await rm(join(this.dir, nameOf(stays)));
      else await rename(join(this.dir, nameOf(stays)), join(this.dir, main));
    }
  }
}
