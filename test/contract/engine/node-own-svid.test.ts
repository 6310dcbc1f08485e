import { NodeEngine } from '../../../gateway/engine/index.ts';
import { ownSvidSuite } from './own-svid-suite.ts';

ownSvidSuite('node', (options, tables) => new NodeEngine(options, tables));
