/** An episode on the screen: the robot, its playhead, and what belongs to the instant. */
import type { ComponentChildren } from 'preact'
import { Curves } from './curves'
import { FactsPanel } from './facts'
import { FallStrip } from './fall-strip'
import { GaitLanes } from './gait-lanes'
import type { Player } from './player'
import { t } from './replay-words'
import { Transport } from './transport'
import { Viewer, type Part } from './viewer'
import './replay.css'

/** @param children What can be asked of it. */
export function Show({ parts, player, children }: { parts: Part[]; player: Player; children?: ComponentChildren }) {
  const lead = parts[0]!.loaded
  const { facts } = lead.episode
  const simulated = parts.find(({ loaded }) => loaded.episode.facts.simulated)?.loaded.episode
  return (
    <div class="replay">
      <div class="replay-main">
        <div class="watch">
          {facts.problem ? <p class="problem" role="status">{t('noMotion', { why: facts.problem })}</p> : <Viewer parts={parts} player={player} name={facts.key.replaceAll(':', '-')} />}
          <Transport player={player} mark={simulated ? simulated.facts.simulated!.step * simulated.stepS : 0} />
        </div>
        {children}
        <GaitLanes loaded={lead} player={player} />
        <FallStrip loaded={lead} player={player} />
      </div>
      <div class="replay-side">
        <FactsPanel facts={facts} />
        <Curves loaded={lead} player={player} />
      </div>
    </div>
  )
}
