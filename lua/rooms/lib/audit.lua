-- Shared: the audit trail, a stream of the room's own. Needs scope/lib/scope. A script assigns EVENTS (the stream), STATE (a
-- hash that counts refusals), and who acts: USER, ROLE, SID (its socket, '' none) and SOURCE (by which way it came).
-- An entry is e (event) u (user) r (role) s (socket) c (source) t (time) n (note) st (status) o (old status).
local STATE, EVENTS
local USER, ROLE, SID, SOURCE

-- `who` is { user, role, socket }, if it is another user than the caller.
local function audit(event, note, status, old, who)
  who = who or { USER, ROLE, SID }
  call('XADD', EVENTS, 'MAXLEN', '~', 20000, '*', 'e', event, 'u', who[1], 'r', who[2], 's', who[3], 'c', SOURCE, 't', now,
    'n', note or '', 'st', status or '', 'o', old or '')
end

-- At most half of the trail are refusals, so that a user without rights cannot push the rest out.
local function audit_refusal(note, who, status, old)
  if call('HINCRBY', STATE, 'refusals', 1) <= 10000 then audit('refusal', note, status, old, who) end
end
