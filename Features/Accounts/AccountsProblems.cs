using Bellhop.Infrastructure.Http;

namespace Bellhop.Features.Accounts;

/// <summary>The failures that only accounts know.</summary>
public static class AccountsProblems
{
    public static readonly ProblemCode ProjectRequired = new(400, "project_required", "The project is to be named")
    {
        Example = new(
            "Name the project, by id or name: you are a member of several.",
            FieldError.InHeader(
                ProjectChoice.Header,
                "required",
                "Name the project, by id or name: you are a member of several."
            )
        ),
    };

    /// <summary>The same whether there is no such project or the user is no member of it.</summary>
    public static Problem NoProject { get; } =
        Problems.NotFound.Because("There is no such project, or you are no member of it.");
}
