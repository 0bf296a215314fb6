package explore

var Conflict = conflict
