import { NodeEngine } from '../../../gateway/engine/index.ts';
import { lifecycleSuite } from './lifecycle-suite.ts';

lifecycleSuite('node', (options, tables) => new NodeEngine(options, tables));
