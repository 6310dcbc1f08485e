import { abuseSuite } from './abuse-suite.ts';
import { makeNative } from './make-native.ts';

abuseSuite('native', makeNative);
