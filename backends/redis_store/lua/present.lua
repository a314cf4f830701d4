-- The epochs of results: 8 bytes a key (all bits set: none), or '' when none is there.
-- KEYS: meta heads   ARGV: run shift keys
if restarted() then return 'RESTARTED' end
local keys, epochs, any = ARGV[3], {}, false
local count = #keys / 32
for first = 0, count - 1, 1000 do
  local list = cut(keys, first, math.min(first + 1000, count) - 1)
  local there = call('HMGET', KEYS[2], unpack(list))
  for i = 1, #list do
    if there[i] then any = true end
    epochs[first + i] = epoch_of(there[i])
  end
end
return any and table.concat(epochs) or ''
