/** `#/run/<id>/evolution`: how the policy came to be, five episodes beside each other. */
import { useSignal } from '@preact/signals'
import { useEffect, useMemo } from 'preact/hooks'
import type { PageProps } from '../shell/page'
import { compact, figure } from '../shell/format'
import { href } from '../shell/route'
import { Failed } from './failed'
import { Player } from './player'
import { t } from './replay-words'
import { reasonWord } from './reasons'
import { evolution, loadEpisode } from './server'
import type { Loaded } from './source'
import { together } from './together'
import { Transport } from './transport'
import { Viewer } from './viewer'
import './replay.css'

const PARTS = ['1 %', '10 %', '30 %', '60 %', '100 %']

export default function EvolutionPage({ run }: PageProps) {
  const player = useMemo(() => new Player(), [])
  const found = useSignal<Loaded[] | null>(null)
  const error = useSignal<unknown>(null)
  useEffect(() => {
    evolution(run)
      .then((rows) => Promise.all(rows.map(({ key }) => loadEpisode(run, key))))
      .then((all) => {
        player.open(Math.max(...all.map(({ episode }) => episode.duration)), all[0]!.episode.stepS)
        player.playing.value = true
        found.value = all
      })
      .catch((why) => (error.value = why))
    player.start()
    return player.stop
  }, [run])
  if (error.value) return <Failed run={run} error={error.value} />
  if (!found.value) return <p class="waiting">{t('loading')}</p>
  // The camera walks with the last policy; the others stand at its sides.
  const lastFirst = found.value.toReversed()
  return (
    <div class="page evolution">
      <p class="muted">{t('evolutionSays')}</p>
      <Viewer parts={together(lastFirst, 'start', 1, false, PARTS.toReversed())} player={player} name="evolution" />
      <Transport player={player} />
      <ol>
        {found.value.map(({ episode: { facts } }, i) => (
          <li key={i}>
            <a href={href('episode', run, {}, [facts.key])}>
              <b>{PARTS[i]}</b>
              <span>{t('timestep')} {compact(facts.timestep)}</span>
              <span>{t('return')} {figure(facts.return)}</span>
              <span>{t('steps', { n: facts.length })} · {reasonWord(facts.reason)}</span>
            </a>
          </li>
        ))}
      </ol>
    </div>
  )
}
