using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.ApiKeys;

/// <summary>The failures that only API keys know.</summary>
public static class ApiKeysProblems
{
    public static readonly ProblemCode Revoked = new(409, "key_revoked", "The key is revoked");

    public static Problem IsRevoked(string name) =>
        Revoked.Because($"The key {name} is revoked, and stays so: make another one.");
}
