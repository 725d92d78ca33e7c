/** Ask how an episode would have gone: other friction, mass, gravity, a push, another checkpoint's policy. */
import { useSignal, type Signal } from '@preact/signals'
import type { Policies } from '../messages'
import { ApiError, at } from '../shell/api'
import { useAnswer } from '../shell/ask'
import { whole } from '../shell/format'
import { route, setParams } from '../shell/route'
import { reasonWord } from './reasons'
import { ifFailed, t } from './replay-words'
import type { Changes } from './server'
import type { Loaded } from './source'

const FIELDS = [
  { name: 'friction', plain: '1', step: '0.1', min: '0', max: '10' },
  { name: 'mass', plain: '0', step: '0.5', min: '-100', max: '1000' },
  { name: 'gravity', plain: '1', step: '0.1', min: '-2', max: '5' },
  { name: 'push_x', plain: '0', step: '0.1', min: '-10', max: '10' },
  { name: 'push_y', plain: '0', step: '0.1', min: '-10', max: '10' },
  { name: 'push_s', plain: '0', step: '0.1', min: '0', max: '1000' },
] as const

const SAYS = { friction: 'ifFriction', mass: 'ifMass', gravity: 'ifGravity', push_x: 'ifPushX', push_y: 'ifPushY', push_s: 'ifPushS' } as const

/** The changes that an address names (`friction:0.3,policy:best_model.zip`); null where it names none. */
export function changesOf(text: string | null): Changes | null {
  const found: Changes = {}
  for (const part of (text ?? '').split(',')) {
    const [name = '', value = ''] = part.split(':')
    const field = FIELDS.find((each) => each.name === name)
    if (field && Number.isFinite(Number.parseFloat(value))) found[field.name] = value
    if (name === 'policy' && value) found.policy = value
  }
  return Object.keys(found).length ? found : null
}

interface Props {
  run: string
  waiting: boolean
  failed: unknown
  simulated: Loaded | null
}

export function WhatIf({ run, waiting, failed, simulated }: Props) {
  const now = changesOf(route.value.params.get('if')) ?? {}
  const wanted = useSignal<Changes>(now)
  const opened = useSignal(Object.keys(now).length > 0)
  const ask = (event: Event) => {
    event.preventDefault()
    const changed = FIELDS.filter(({ name, plain }) => (wanted.value[name] ?? plain) !== plain).map(({ name }) => `${name}:${wanted.value[name]}`)
    if (wanted.value.policy) changed.push(`policy:${wanted.value.policy}`)
    // Without a change it is simulated as it was: then one robot hides the other.
    setParams({ if: changed.join() || 'friction:1' }, 'push')
  }
  const { ended, length, reason } = simulated?.episode.facts ?? {}
  return (
    <details class="what-if" open={opened.value} onToggle={(event) => (opened.value = event.currentTarget.open)}>
      <summary>{t('ifTitle')}</summary>
      <p class="muted">{t('ifSays')}</p>
      <form onSubmit={ask}>
        {opened.value && <PolicyChoice run={run} wanted={wanted} />}
        {FIELDS.map(({ name, plain, ...bounds }) => (
          <label key={name}>
            {t(SAYS[name])}
            <input type="number" {...bounds} value={wanted.value[name] ?? plain} onInput={(event) => (wanted.value = { ...wanted.value, [name]: event.currentTarget.value })} />
          </label>
        ))}
        <button class="main" disabled={waiting}>{waiting ? t('ifWaiting') : t('ifAsk')}</button>
        {Object.keys(now).length > 0 && <button type="button" onClick={() => setParams({ if: null })}>{t('alone')}</button>}
      </form>
      {failed !== null && <p class="bad" role="status">{whyNot(failed)}</p>}
      {now.policy && ended && length !== undefined && (
        <p role="status">{t('ifEnded', { reason: reasonWord(reason ?? null), s: (length * simulated!.episode.stepS).toFixed(2) })}</p>
      )}
    </details>
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
