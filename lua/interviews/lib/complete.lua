-- Shared: the last word to the candidate. Needs interviews/lib/session.

local function tell_complete()
  local interview = string.match(META, '{(.*)}$')
  tell(CANDIDATE, 'interview-complete', stamped('"interviewId":"' .. interview .. '","sessionId":"' ..
    (call('HGET', SESSION, 'id') or '') .. '","message":"Interview completed"'))
end
