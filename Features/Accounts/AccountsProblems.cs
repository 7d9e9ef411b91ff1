using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

/// <summary>The failures that only accounts know.</summary>
public static class AccountsProblems
{
    /// <summary>The same whether there is no such project or the user is no member of it.</summary>
    public static Problem NoProject { get; } =
        Problems.NotFound.Because("There is no such project, or you are no member of it.");
}
