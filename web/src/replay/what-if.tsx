/** Ask how an episode would have gone on: other friction, mass, gravity, a push, another checkpoint's policy. */
import { useSignal, type Signal } from '@preact/signals'
import { Fragment } from 'preact'
import { useRef } from 'preact/hooks'
import type { Policies } from '../messages'
import { ApiError, at } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { whole } from '../shell/format'
import { useKeys } from '../shell/keys'
import { route, setParams } from '../shell/route'
import { firstBeyond } from './fall'
import type { Player } from './player'
import { reasonWord } from './reasons'
import { ifFailed, said, t } from './replay-words'
import type { Changes } from './server'
import type { Loaded } from './source'

const FIELDS = [
  { name: 'from', plain: '0', step: '0.02', min: '0', max: '1000000' },
  { name: 'friction', plain: '1', step: '0.1', min: '0', max: '10' },
  { name: 'mass', plain: '0', step: '0.5', min: '-100', max: '1000' },
  { name: 'gravity', plain: '1', step: '0.1', min: '-2', max: '5' },
  { name: 'push_x', plain: '0', step: '0.1', min: '-10', max: '10' },
  { name: 'push_y', plain: '0', step: '0.1', min: '-10', max: '10' },
  { name: 'push_s', plain: '0', step: '0.1', min: '0', max: '1000000' },
] as const

const SAYS = { from: 'ifFrom', friction: 'ifFriction', mass: 'ifMass', gravity: 'ifGravity', push_x: 'ifPushX', push_y: 'ifPushY', push_s: 'ifPushS' } as const

/** The changes that an address names (`from:1.2,friction:0.3,policy:best_model.zip`); null where it names none. */
export function changesOf(text: string | null): Changes | null {
  const found: Changes = {}
  for (const part of (text ?? '').split(',')) {
    const [name = '', value = ''] = part.split(':')
    const field = FIELDS.find((each) => each.name === name)
    const number = Number.parseFloat(value)
    if (field && Number.isFinite(number)) found[field.name] = String(Math.max(Number(field.min), Math.min(Number(field.max), number)))
    if (name === 'policy' && value) found.policy = value
  }
  return Object.keys(found).length ? found : null
}

/** How an address names them. Without a change it is simulated as it was: then one robot hides the other. */
export function addressOf(changes: Changes): string {
  const changed = FIELDS.filter(({ name, plain }) => (changes[name] ?? plain) !== plain).map(({ name }) => `${name}:${changes[name]}`)
  if (changes.policy) changed.push(`policy:${changes.policy}`)
  return changed.join() || 'friction:1'
}

interface Props {
  run: string
  player: Player
  waiting: boolean
  failed: unknown
  simulated: Loaded | null
  /** The answer is to be shown from here on, s. */
  onAsk: (seconds: number) => void
}

export function WhatIf({ run, player, waiting, failed, simulated, onAsk }: Props) {
  const now = changesOf(route.value.params.get('if')) ?? {}
  const wanted = useSignal<Changes>(now)
  const opened = useSignal(Object.keys(now).length > 0)
  const first = useRef<HTMLInputElement>(null)
  const here = () => {
    player.step(0)
    wanted.value = { ...wanted.value, from: String(Number(player.time.value.toFixed(4))) }
  }
  useKeys([
    {
      key: 'w',
      says: () => t('keyWhatIf'),
      act: () => {
        opened.value = true
        here()
        requestAnimationFrame(() => {
          first.current?.focus({ preventScroll: true })
          // Not below the robot, which stays where it is.
          first.current?.form?.scrollIntoView({ block: 'end' })
        })
      },
    },
  ])
  const ask = (event: Event) => {
    event.preventDefault()
    const asked = changesOf(addressOf(wanted.value)) ?? {}
    onAsk(Number(asked.from ?? 0))
    setParams({ if: addressOf(asked) }, 'push')
  }
  return (
    <details class="what-if" open={opened.value} onToggle={(event) => (opened.value = event.currentTarget.open)}>
      <summary>{t('ifTitle')} <kbd>w</kbd></summary>
      <p class="muted">{t('ifSays')}</p>
      <form onSubmit={ask} noValidate>
        {FIELDS.map(({ name, plain, ...bounds }) => (
          <Fragment key={name}>
            <label>
              {t(SAYS[name])}
              <input
                type="number"
                {...bounds}
                {...(name === 'from' && { ref: first, step: player.stepS.value })}
                value={wanted.value[name] ?? plain}
                onInput={(event) => (wanted.value = { ...wanted.value, [name]: event.currentTarget.value })}
              />
            </label>
            {name === 'from' && <button type="button" onClick={here}>{t('ifHere')}</button>}
          </Fragment>
        ))}
        {opened.value && <PolicyChoice run={run} wanted={wanted} />}
        <button class="main" disabled={waiting}>{waiting ? t('ifWaiting') : t('ifAsk')}</button>
        {Object.keys(now).length > 0 && <button type="button" onClick={() => setParams({ if: null })}>{t('alone')}</button>}
      </form>
      {failed !== null && <p class="bad" role="status">{whyNot(failed)}</p>}
      {simulated && <Outcome simulated={simulated} driven={now.policy !== undefined} />}
    </details>
  )
}

/** How far it is as recorded, and how it goes. */
function Outcome({ simulated: { episode, track }, driven }: { simulated: Loaded; driven: boolean }) {
  const { ended, length, reason, limits, simulated } = episode.facts
  const seconds = (steps: number) => (steps * episode.stepS).toFixed(2)
  const crossed = firstBeyond(episode, track)
  return (
    <p role="status">
      {simulated && simulated.step > 0 && <>{t(simulated.exact ? 'ifExact' : 'ifPutIn', { s: seconds(simulated.step) })} </>}
      {driven && ended && length !== undefined ? t('ifEnded', { reason: reasonWord(reason ?? null), s: seconds(length) }) : null}
      {!driven && limits.length > 0 && (crossed ? t('ifCrossed', { name: said.maybe(crossed.name) ?? crossed.name, s: crossed.s.toFixed(2) }) : t('ifKept'))}
    </p>
  )
}

/** In the reader's language what we know a word for; beside it what the server found. */
function whyNot(failed: unknown): string {
  const says = failed instanceof Error ? failed.message : String(failed)
  const known = failed instanceof ApiError && failed.code ? ifFailed.maybe(failed.code) : undefined
  return known ? known.replace('{why}', says) : says
}

/** Whose policy acts: what was recorded, or that of a model of this run. */
function PolicyChoice({ run, wanted }: { run: string; wanted: Signal<Changes> }) {
  const { value } = useAnswer<Policies>(at`runs/${run}/policies`).value
  const policies = value?.policies ?? []
  const none = value && (!value.allowed ? t('ifNotAllowed') : policies.length === 0 ? t('ifNoPolicies') : null)
  return (
    <>
      <label>
        {t('ifPolicy')}
        <select
          value={wanted.value.policy ?? ''}
          disabled={!value || none !== null}
          onChange={({ currentTarget }) => (wanted.value = { ...wanted.value, policy: currentTarget.value })}
        >
          <option value="">{t('ifRecorded')}</option>
          {policies.map(({ name, kind, timestep }) => (
            <option key={name} value={name}>{kind === 'checkpoint' ? t('ifCheckpoint', { timestep: timestep === null ? name : whole(timestep) }) : t(kind === 'best' ? 'ifBest' : 'ifFinal')}</option>
          ))}
        </select>
      </label>
      {none && <p class="muted policy-none">{none}</p>}
    </>
  )
}
