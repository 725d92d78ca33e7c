/** What every page is given. */
export interface PageProps {
  /** The run that the address names; '' on pages that belong to no single run. */
  run: string
}
