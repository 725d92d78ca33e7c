/** One answer of the server as a signal, asked for again when the question changes. */
import { useSignal, type ReadonlySignal } from '@preact/signals'
import { useEffect } from 'preact/hooks'
import { getJson, type Query } from './api'

export interface Asked<T> {
  value: T | null
  failure: unknown
}

/** @param everyMs Ask again after so long, while the page is seen; 0: once. */
export function useAnswer<T>(path: string, query: Query = {}, everyMs = 0): ReadonlySignal<Asked<T>> & { again: () => void } {
  const answer = useSignal<Asked<T>>({ value: null, failure: null })
  const turn = useSignal(0)
  useEffect(() => {
    const stop = new AbortController()
    let timer = 0
    const ask = async () => {
      try {
        if (!document.hidden) answer.value = { value: await getJson<T>(path, query, stop.signal), failure: null }
      } catch (failure) {
        if (!stop.signal.aborted) answer.value = { ...answer.value, failure }
      }
      if (everyMs && !stop.signal.aborted) timer = window.setTimeout(() => void ask(), everyMs)
    }
    void ask()
    return () => {
      stop.abort()
      clearTimeout(timer)
    }
  }, [path, JSON.stringify(query), everyMs, turn.value])
  return Object.assign(answer, { again: () => turn.value++ })
}
