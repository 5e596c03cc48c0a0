-- Shared: what the room of an SOS hears, and its whole state. The hot scripts do without.

-- scope_attach and the location scripts do without; all others declare all nine.
local function all_keys()
  LOG, MEMBERS, STATE, LOCATION, TRACK, MESSAGES, EVENTS, OUTBOX = unpack(KEYS, 2, 9)
end

-- To the room, logged; returns id and args.
local function broadcast(event, data)
  local args = '["' .. event .. '",' .. data .. ']'
  return publish('* - - -\n' .. args), args
end

-- To the nodes that listen, never to sockets; logged, so that nobody misses it.
local function control(event, data)
  publish('! - - -\n["' .. event .. '",' .. data .. ']')
end

-- Owes a copy to those who watch every SOS. If more are owed than anybody could have failed to pay, the sweep finds it.
local debts
local function owe_body(id, body)
  debts = debts or call('HGET', META, 'wo') or ''
  put('w:' .. id, body)
  if #debts < 16384 then
    debts = debts .. ' ' .. id
    put('wo', debts)
  end
  owed = 1
end

-- The same for an event that those in this room have had.
local function owe(id, args)
  owe_body(id, args == '' and '' or '* @' .. SOS .. ' - -\n' .. args)
end

local function keep_all()
  keep(now, META, LOG, MEMBERS, STATE, LOCATION, TRACK, MESSAGES, EVENTS)
end

-- The first answer with a snapshot of now behind it.
local function with_snapshot(result)
  local state, locations, members = snapshot_of(STATE, LOCATION, MEMBERS)
  for _, part in ipairs({ now, state, locations, members }) do result[#result + 1] = part end
  return result
end
