export { addressTowards } from './address-towards.ts';
export { OwnAddress } from './own-address.ts';
