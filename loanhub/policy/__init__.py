"""Who may see and do what: principals, roles, and the View that allows and masks."""

from loanhub.policy.levels import HOST, SHUT, Level, Sight
from loanhub.policy.masks import HIDDEN, MASKS, Masked, Said, Shown, mask, maskable
from loanhub.policy.principal import ALL, Permission, Principal, Scope, host_operator, system
from loanhub.policy.roles import Role, read_roles
from loanhub.policy.view import View, of

__all__ = [
    "ALL",
    "HIDDEN",
    "HOST",
    "MASKS",
    "SHUT",
    "Level",
    "Masked",
    "Permission",
    "Principal",
    "Role",
    "Said",
    "Scope",
    "Shown",
    "Sight",
    "View",
    "host_operator",
    "mask",
    "maskable",
    "of",
    "read_roles",
    "system",
]
